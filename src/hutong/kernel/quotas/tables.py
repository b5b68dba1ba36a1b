"""Tables of quotas. The user id is the shard key.

`user_quotas` holds what is taken in the windows that `last_reset_date` names: its day, and the month of that day. Whoever
reserves first on another day begins them anew. What is reserved is taken already; `quota_reservations` says by whom.
Source: contracts/chat.md "Data".
"""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table

from hutong.kernel.db import Enumerated, Id, UtcTime, metadata


class ReservationState(StrEnum):
    """A reservation is open until exactly one of the others."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"


user_quotas = Table(
    "user_quotas",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("last_reset_date", String(10), nullable=False),
    Column("daily_requests", Id, nullable=False),
    Column("monthly_requests", Id, nullable=False),
    Column("daily_tokens", Id, nullable=False),
    Column("monthly_tokens", Id, nullable=False),
    Column("refunds", Integer, nullable=False),
    CheckConstraint("daily_requests >= 0 AND daily_tokens >= 0", name="daily_not_negative"),
    CheckConstraint("monthly_requests >= 0 AND monthly_tokens >= 0", name="monthly_not_negative"),
)
"""`last_reset_date` is an ISO date, in UTC; as text it has the same order on every database. `refunds` counts the requests
that came back on that day."""

quota_reservations = Table(
    "quota_reservations",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("user_id", Id, nullable=False),
    Column("owner", String(96), nullable=False),
    Column("tokens", Id, nullable=False),
    Column("used", Id),
    Column("day", String(10), nullable=False),
    Column("state", Enumerated(ReservationState, 16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Index(None, "user_id", "state"),
    Index(None, "state", "expires_at"),
    CheckConstraint("tokens >= 0", name="tokens_not_negative"),
)
"""`day` is the window in which it was reserved; `used` is None while it is open."""
