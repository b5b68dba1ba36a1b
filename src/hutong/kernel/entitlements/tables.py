"""Table of memberships: one row a user and plan."""

from sqlalchemy import Column, String, Table

from hutong.kernel.db import Id, UtcTime, metadata

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("plan", String(32), primary_key=True),
    Column("ends_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
)
