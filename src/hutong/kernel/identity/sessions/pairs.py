"""What sessions hand out, and what a valid access token says."""

from dataclasses import dataclass
from datetime import datetime


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
    """What a valid access token says. Times are whole seconds since 1970."""

    user_id: int
    session_id: int
    issued_at: int
    expires_at: int
