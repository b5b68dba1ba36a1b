"""Pairs of tokens: everything that one is made of, so that the same pair can be made again, byte for byte."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from hutong.kernel.identity.sessions.settings import SessionPolicy
from hutong.kernel.identity.tokens import TokenRealm

STAMP_BYTES = 16


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token with the refresh token that gets the next one.

    Args:
        access_token, refresh_token: for the client; neither is kept anywhere here.
        access_expires_at, refresh_expires_at: whole seconds, as in the tokens.
        session_id: of the session that both belong to.
    """

    access_token: str
    refresh_token: str
    access_expires_at: datetime
    refresh_expires_at: datetime
    session_id: int


@dataclass(frozen=True, slots=True)
class Caller:
    """What a valid access token says. Times are whole seconds since 1970.

    Args:
        user_id, session_id: whose it is, and of which session.
        issued_at, expires_at: of the token.
        copy: the copy that was asked for along with it, if the store holds one.
    """

    user_id: int
    session_id: int
    issued_at: int
    expires_at: int
    copy: bytes | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a session: what its pair of tokens is made of. Times are whole seconds since 1970.

    Neither the store, which holds this, nor the signing key is enough to make the tokens: the key signs, and `stamp` cannot
    be guessed.

    Args:
        user_id, session_id: whose.
        counter: how often the session was renewed before this turn.
        stamp: random; two turns of one session never have the same.
        issued_at, access_until, refresh_until: of the tokens.
        lasts_until: absolute end of the session.
        kid: of the key that signs.
    """

    user_id: int
    session_id: int
    counter: int
    stamp: str
    issued_at: int
    access_until: int
    refresh_until: int
    lasts_until: int
    kid: str

    @property
    def text(self) -> str:
        """All of it but whose it is, for `read_turn`."""
        numbers = (self.counter, self.issued_at, self.access_until, self.refresh_until, self.lasts_until)
        return " ".join([*map(str, numbers), self.stamp, self.kid])


def read_turn(text: str, user_id: int, session_id: int) -> Turn:
    """The turn of a session that `Turn.text` wrote."""
    *numbers, stamp, kid = text.split(" ")
    counter, issued_at, access_until, refresh_until, lasts_until = map(int, numbers)
    return Turn(user_id, session_id, counter, stamp, issued_at, access_until, refresh_until, lasts_until, kid)


@dataclass(frozen=True, slots=True)
class Signed:
    """A turn's tokens, and the digests under which the store knows them."""

    turn: Turn
    access: str
    refresh: str

    @property
    def access_digest(self) -> bytes:
        return digest(self.access)

    @property
    def refresh_digest(self) -> bytes:
        return digest(self.refresh)

    @property
    def pair(self) -> TokenPair:
        """For the client."""
        turn = self.turn
        access_ends, refresh_ends = (_moment(until) for until in (turn.access_until, turn.refresh_until))
        return TokenPair(self.access, self.refresh, access_ends, refresh_ends, turn.session_id)


def new_turn(
    policy: SessionPolicy, kid: str, now: int, user_id: int, session_id: int, counter: int, lasts_until: int
) -> Turn:
    """A turn that begins now; its tokens end with the session at the latest."""
    access_until = min(now + policy.access_seconds, lasts_until)
    refresh_until = min(now + policy.refresh_seconds, lasts_until)
    stamp = secrets.token_urlsafe(STAMP_BYTES)
    return Turn(user_id, session_id, counter, stamp, now, access_until, refresh_until, lasts_until, kid)


def sign(tokens: TokenRealm, turn: Turn) -> Signed:
    """The tokens of a turn, the same each time.

    Raises:
        KeyError: the key is gone.
    """
    common = {"sub": str(turn.user_id), "sid": str(turn.session_id), "n": turn.counter, "jti": turn.stamp}
    access = {**common, "iat": turn.issued_at, "exp": turn.access_until, "type": "access"}
    refresh = {**common, "iat": turn.issued_at, "exp": turn.refresh_until, "type": "refresh"}
    until = {"until": turn.lasts_until}
    return Signed(turn, tokens.sign(access, turn.kid), tokens.sign({**refresh, **until}, turn.kid))


def digest(token: str) -> bytes:
    """Under what the store knows a token."""
    return hashlib.sha256(token.encode()).digest()


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
