"""Tables of sessions, and why one ended."""

from enum import StrEnum

from sqlalchemy import Column, Index, Integer, String, Table

from hutong.kernel.db import Enumerated, Id, UtcTime, metadata


class EndReason(StrEnum):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    EVICTED = "evicted"
    REUSED = "reused"
    LOST = "lost"
    """The store forgot it, so that nobody can tell its newest token any more."""


sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("user_id", Id, nullable=False),
    Column("device_id", String(128)),
    Column("agent", String(200)),
    Column("address", String(64), nullable=False),
    Column("counter", Integer, nullable=False),
    Column("stamp", String(32), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("lasts_until", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("end_reason", Enumerated(EndReason, 16)),
    Index(None, "user_id", "ended_at"),
    Index(None, "expires_at"),
)
