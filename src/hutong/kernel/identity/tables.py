"""Tables of identity. A realm is a user population; by default each app has its own."""

from enum import StrEnum

from sqlalchemy import Column, Index, String, Table, UniqueConstraint

from hutong.kernel.db import Enumerated, Id, UtcTime, metadata


class UserStatus(StrEnum):
    """Whether a user may sign in."""

    ACTIVE = "active"
    BLOCKED = "blocked"


class CredentialKind(StrEnum):
    """What a credential proves."""

    DEVICE = "device"


users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("nickname", String(64), nullable=False),
    Column("status", Enumerated(UserStatus, 16), nullable=False),
    Column("tokens_valid_from", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "realm", "id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("kind", Enumerated(CredentialKind, 16), primary_key=True),
    Column("identifier", String(128), primary_key=True),
    Column("user_id", Id, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("user_id", "kind", "identifier"),
)
