"""Signed tokens of a realm: HS256 with `kid`, several keys verify, the newest signs.

A realm without a name issues the claims of contracts/emoji.md "Conventions": `{sub, iat, exp, type}`. One with a name adds
it as `iss` and `aud`, and its tokens belong to sessions. Sources: RFC 7519, RFC 8725 (what to refuse); reference/reliability.md
attacks T1–T3.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt

from hutong.kernel.identity.errors import TokenExpired, TokenInvalid, TokenWrongKind
from hutong.kernel.settings import SigningKey, secret_bytes
from hutong.kit.clock import Clock
from hutong.kit.ids import parse_id

ALGORITHM = "HS256"
REQUIRED = ("sub", "iat", "exp", "type")
HEADERS = {"alg", "kid", "typ"}
"""A header with more asks for something (`crit`, `jwk`, `jku`, `x5u` …) that is not done here."""
LONGEST_TOKEN = 2_048
LONGEST_LIFETIME = timedelta(days=400)
"""No token is good for longer; one whose end is given in milliseconds is none of ours."""
CACHED_TOKENS = 10_000
CLOCK_SKEW_SECONDS = 60
"""By how much the clock of the machine that issued a token may be ahead of this one's."""
_BY_HAND = ("verify_exp", "verify_iat", "verify_nbf", "verify_aud", "verify_iss")
_OPTIONS: Any = {"require": list(REQUIRED), **dict.fromkeys(_BY_HAND, False)}
"""The library asks the machine's clock; these are checked below, with ours."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. Times are whole seconds since 1970.

    Args:
        user_id, issued_at, expires_at, kind: of every token.
        session_id: of a token that belongs to a session; else 0.
        counter: how often the session was renewed before this token.
        lasts_until: absolute end of the session, in a refresh token; else 0.
        digest: SHA-256 of the token's text.
    """

    user_id: int
    issued_at: int
    expires_at: int
    kind: str
    session_id: int = 0
    counter: int = 0
    lasts_until: int = 0
    digest: bytes = field(default=b"", compare=False, repr=False)


class TokenRealm:
    """Issues and verifies the tokens of one realm.

    Args:
        keys: the last one signs, all verify.
        clock: decides what is expired.
        lifetime: of a token made by `issue`.
        name: of a realm with sessions, for `iss` and `aud`; empty: its tokens have neither.
    """

    def __init__(self, keys: Sequence[SigningKey], clock: Clock, lifetime: timedelta, *, name: str = "") -> None:
        self._keys = {key.kid: secret_bytes(key.secret) for key in keys}
        self._signing = keys[-1].kid
        self._clock = clock
        self._lifetime = lifetime
        self._longest = max(lifetime, LONGEST_LIFETIME).total_seconds()
        self._name = name
        self._verified: OrderedDict[str, Claims] = OrderedDict()

    @property
    def name(self) -> str:
        return self._name

    @property
    def lifetime(self) -> timedelta:
        return self._lifetime

    @property
    def signing(self) -> str:
        """`kid` of the key that signs."""
        return self._signing

    def issue(self, user_id: int, kind: str = "access") -> tuple[str, datetime]:
        """A new token for a user, and when it expires."""
        now = self._clock.now()
        expires = now + self._lifetime
        claims = {"sub": str(user_id), "iat": int(now.timestamp()), "exp": int(expires.timestamp()), "type": kind}
        return self.sign(claims), expires

    def sign(self, claims: Mapping[str, Any], kid: str | None = None) -> str:
        """A token with these claims; the same claims and key make the same token.

        Args:
            claims: all but `iss` and `aud`.
            kid: of another key than the one that signs now.

        Raises:
            KeyError: there is no such key.
        """
        kid = kid or self._signing
        named = {"iss": self._name, "aud": self._name} if self._name else {}
        return jwt.encode({**named, **claims}, self._keys[kid], ALGORITHM, {"kid": kid})

    def verify(self, token: str, kind: str = "access") -> Claims:
        """What `token` says, if it is one of this realm's and still good.

        Signatures are checked once; what was verified is remembered, expiry is checked each time.

        Raises:
            TokenExpired: it was good once.
            TokenWrongKind: it is good, but for something else.
            TokenInvalid: anything else.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            self._remember(token, claims)
        if claims.kind != kind:
            raise TokenWrongKind
        if claims.expires_at <= self._clock.now().timestamp():
            self._verified.pop(token, None)
            raise TokenExpired
        return claims

    def _remember(self, token: str, claims: Claims) -> None:
        self._verified[token] = claims
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)

    def _decode(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise TokenInvalid
        try:
            key = self._key_of(jwt.get_unverified_header(token))
            payload = jwt.decode(token, key, [ALGORITHM], _OPTIONS)
            return self._claims(payload, hashlib.sha256(token.encode()).digest())
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise TokenInvalid from error

    def _key_of(self, header: Mapping[str, Any]) -> bytes:
        """The key that a header names. Nothing else in it decides anything."""
        if not header.keys() <= HEADERS or header["alg"] != ALGORITHM or header.get("typ", "JWT") != "JWT":
            raise TokenInvalid
        return self._keys[header["kid"]]

    def _claims(self, payload: Mapping[str, Any], digest: bytes) -> Claims:
        subject, issued, expires, kind = (payload[name] for name in REQUIRED)
        user_id = parse_id(subject) if isinstance(subject, str) else None
        if user_id is None or not _whole(issued, expires) or not isinstance(kind, str) or not self._ours(payload):
            raise TokenInvalid
        latest = self._clock.now().timestamp() + CLOCK_SKEW_SECONDS
        begins = payload.get("nbf", issued)
        if not _whole(begins) or issued > latest or begins > latest or expires > issued + self._longest:
            raise TokenInvalid
        return Claims(user_id, issued, expires, kind, *self._session(payload), digest)

    def _ours(self, payload: Mapping[str, Any]) -> bool:
        """Whether the token is of this realm and for it; one without a name issues neither claim."""
        return bool(payload.get("iss", "") == self._name == payload.get("aud", ""))

    def _session(self, payload: Mapping[str, Any]) -> tuple[int, int, int]:
        """Session id, counter and absolute end; zeros in a realm without sessions."""
        if not self._name:
            return 0, 0, 0
        sid, counter, lasts_until = payload["sid"], payload["n"], payload.get("until", 0)
        session_id = parse_id(sid) if isinstance(sid, str) else None
        if session_id is None or not _whole(counter, lasts_until):
            raise TokenInvalid
        return session_id, counter, lasts_until


def _whole(*values: Any) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)
