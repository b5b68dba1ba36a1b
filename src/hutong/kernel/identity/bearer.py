"""The token of a request: `Authorization: Bearer <token>`, once. Source: RFC 6750 §2.1; reference/identity_orders.md T20, T21."""

from starlette.types import Scope

from hutong.kernel.identity.errors import TokenMissing


def bearer_token(scope: Scope) -> str:
    """The token as it was sent; whether it is good is for others to say.

    Raises:
        TokenMissing: there is no such header, more than one, one of another scheme, or an empty one.
    """
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) != 1:
        raise TokenMissing
    scheme, _, token = sent[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing
    return str(token.strip())
