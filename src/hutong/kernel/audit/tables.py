"""The audit trail's table: append-only."""

from sqlalchemy import Column, Index, String, Table

from hutong.kernel.db import Id, Json, UtcTime, metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("user_id", Id),
    Column("address", String(64)),
    Column("device_id", String(128)),
    Column("details", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "realm", "user_id", "created_at"),
    Index(None, "realm", "kind", "created_at"),
)
