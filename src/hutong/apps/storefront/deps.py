"""What endpoints of this app ask for: who calls, from where, which part of the app.

Every route takes `Caller` unless it is one of the public ones that tests/house/test_routes.py lists.
Source: contracts/storefront.md "Tokens" (`UserContext`, `get_current_user`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import Scope

from hutong.apps.storefront.account.service import Profiles
from hutong.apps.storefront.settings import StorefrontSettings
from hutong.kernel.assembly import Kernel
from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.http.languages import CHOSEN, Language, language_of
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.identity.bearer import bearer_token
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import DeviceIdInvalid
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.orders import Catalogue, Orders, PaymentChannel
from hutong.kit.text import is_printable

LONGEST_DEVICE_ID = 128
LONGEST_AGENT = 200


@dataclass(frozen=True)
class Storefront:
    """The parts of this app, made once in `create_app`."""

    kernel: Kernel
    settings: StorefrontSettings
    accounts: Accounts
    sessions: Sessions
    profiles: Profiles
    catalogue: Catalogue
    channels: Mapping[str, PaymentChannel]
    orders: Orders
    refused_notices: FailureLimit
    per_user: Limit


@dataclass(frozen=True, slots=True)
class UserContext:
    """Who calls, and from where.

    Args:
        user_id, session_id: whose token it is, and of which session.
        token: as sent.
        device_id: as the header `X-Device-ID` names it.
        language: the user's own choice, else what Accept-Language asks for.
        ip: address of the client.
        profile: the body of `GET /me`, as it is at present.
    """

    user_id: int
    session_id: int
    token: str
    device_id: str | None
    language: Language
    ip: str
    profile: bytes

    def client(self, request: Request) -> Client:
        """The caller's side of this request, as the kernel wants it."""
        return Client(self.ip, self.language, self.device_id, _agent(request.scope))


def _parts(request: Request) -> Storefront:
    parts: Storefront = request.app.state.storefront
    return parts


async def _app(request: Request) -> Storefront:
    """A coroutine, for FastAPI sends any other dependency to a thread."""
    return _parts(request)


async def _client(request: Request) -> Client:
    """The side of a caller who has not signed in."""
    scope = request.scope
    return Client(request.state.address, language_of(scope), device_of(scope), _agent(scope))


App = Annotated[Storefront, Depends(_app)]
Stranger = Annotated[Client, Depends(_client)]


async def get_current_user(request: Request) -> UserContext:
    """Who the request's token belongs to: verified, asked of the store, and counted against the user's limit.

    Raises:
        TokenMissing, TokenInvalid, TokenExpired, TokenWrongKind, TokenRevoked, LimitExceeded.
        DeviceIdInvalid: of the header X-Device-ID.
        StoreUnavailable: nobody is let in, or turned out, unasked.
    """
    parts, scope = _parts(request), request.scope
    token = bearer_token(scope)
    profiles = parts.profiles
    caller = await parts.sessions.admit(token, parts.kernel.limiter, parts.per_user, copies=profiles.copies)
    state = scope["state"]
    state["user_id"] = caller.user_id
    chosen, profile = await profiles.get(caller.user_id, caller.copy)
    if chosen is not None:
        state[CHOSEN] = chosen
    return UserContext(
        caller.user_id,
        caller.session_id,
        token,
        device_of(scope),
        chosen or language_of(scope),
        state["address"],
        profile,
    )


async def _perhaps(request: Request) -> Language:
    """The language of a call that needs no token; one that is sent has to be good all the same."""
    if any(name == b"authorization" for name, _ in request.scope["headers"]):
        return (await get_current_user(request)).language
    return language_of(request.scope)


class _AccessToken(SecurityBase):
    """`get_current_user` as the API description shows it: a lock on each call that needs a token."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The access_token that POST /api/client/auth/login answers.")
        self.scheme_name = "access_token"

    async def __call__(self, request: Request) -> UserContext:
        return await get_current_user(request)


Caller = Annotated[UserContext, Depends(_AccessToken())]
Spoken = Annotated[Language, Depends(_perhaps)]


def device_of(scope: Scope) -> str | None:
    """The client's own name for its device: 1 to 128 printable characters in the header X-Device-ID.

    Raises:
        DeviceIdInvalid.
    """
    sent = [value for name, value in scope["headers"] if name == b"x-device-id"]
    if not sent:
        return None
    try:
        device_id = sent[0].decode("utf-8").strip() if len(sent) == 1 else ""
    except UnicodeDecodeError:
        raise DeviceIdInvalid from None
    if not 1 <= len(device_id) <= LONGEST_DEVICE_ID or not is_printable(device_id):
        raise DeviceIdInvalid
    return device_id


def _agent(scope: Scope) -> str | None:
    """What the client says of itself, shortened, for the list of devices."""
    sent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    text = sent[:LONGEST_AGENT].decode("latin-1").strip()
    return text if text and is_printable(text) else None
