"""Signed tokens of a realm: HS256 with `kid`, several keys verify, the newest signs.

Claims as the contract has them: `{sub, iat, exp, type}`. Source: contracts/emoji.md "Conventions"; reference/reliability.md
attacks T1–T3.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from hutong.kernel.identity.errors import TokenExpired, TokenInvalid
from hutong.kernel.settings import SigningKey, secret_bytes
from hutong.kit.clock import Clock
from hutong.kit.ids import parse_id

ALGORITHM = "HS256"
REQUIRED = ("sub", "iat", "exp", "type")
LONGEST_TOKEN = 2_048
CACHED_TOKENS = 10_000
CLOCK_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. Times are whole seconds since 1970."""

    user_id: int
    issued_at: int
    expires_at: int
    kind: str


class TokenRealm:
    """Issues and verifies the tokens of one realm.

    Args:
        keys: the last one signs, all verify.
        clock: decides what is expired.
        lifetime: of a token.
    """

    def __init__(self, keys: Sequence[SigningKey], clock: Clock, lifetime: timedelta) -> None:
        self._keys = {key.kid: secret_bytes(key.secret) for key in keys}
        self._signing = keys[-1].kid
        self._clock = clock
        self._lifetime = lifetime
        self._verified: OrderedDict[str, Claims] = OrderedDict()

    @property
    def lifetime(self) -> timedelta:
        return self._lifetime

    def issue(self, user_id: int, kind: str = "access") -> tuple[str, datetime]:
        """A new token for a user, and when it expires."""
        now = self._clock.now()
        expires = now + self._lifetime
        claims = {"sub": str(user_id), "iat": int(now.timestamp()), "exp": int(expires.timestamp()), "type": kind}
        return jwt.encode(claims, self._keys[self._signing], ALGORITHM, {"kid": self._signing}), expires

    def verify(self, token: str, kind: str = "access") -> Claims:
        """What `token` says, if it is one of this realm's and still good.

        Signatures are checked once; what was verified is remembered, expiry is checked each time.

        Raises:
            TokenExpired: it was good once.
            TokenInvalid: anything else.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            self._remember(token, claims)
        if claims.kind != kind:
            raise TokenInvalid
        if claims.expires_at <= self._clock.now().timestamp():
            self._verified.pop(token, None)
            raise TokenExpired
        return claims

    def _remember(self, token: str, claims: Claims) -> None:
        self._verified[token] = claims
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)

    def _decode(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN:
            raise TokenInvalid
        options: Any = {"require": list(REQUIRED), "verify_exp": False, "verify_iat": False, "verify_aud": False}
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            payload = jwt.decode(token, key, [ALGORITHM], options)
        except (jwt.InvalidTokenError, KeyError, TypeError) as error:
            raise TokenInvalid from error
        return self._claims(payload)

    def _claims(self, payload: dict[str, Any]) -> Claims:
        subject, issued, expires, kind = (payload[name] for name in REQUIRED)
        user_id = parse_id(subject) if isinstance(subject, str) else None
        numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (issued, expires))
        if user_id is None or not numbers or not isinstance(kind, str):
            raise TokenInvalid
        if issued > self._clock.now().timestamp() + CLOCK_SKEW_SECONDS:
            raise TokenInvalid
        return Claims(user_id, issued, expires, kind)
