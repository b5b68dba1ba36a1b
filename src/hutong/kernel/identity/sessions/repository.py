"""Rows of sessions: the truth about who is signed in where."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its user may see it in a list of devices.

    Args:
        id: of the session.
        device_id, agent, address: of the call that used it last.
        created_at: when the user signed in.
        last_used_at: when its tokens were renewed last, or the sign-in.
        expires_at: when it ends unless it is renewed.
    """

    id: int
    device_id: str | None
    agent: str | None
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
