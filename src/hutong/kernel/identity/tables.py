"""Tables of identity. A realm is a user population; by default each app has its own."""

from enum import StrEnum

from sqlalchemy import Column, Index, Integer, String, Table, UniqueConstraint, text

from hutong.kernel.db import Enumerated, Id, UtcTime, metadata


class UserStatus(StrEnum):
    """Whether a user may sign in."""

    ACTIVE = "active"
    BLOCKED = "blocked"


class UserRole(StrEnum):
    """What a user may do beside being one."""

    USER = "user"
    ADMIN = "admin"


class CredentialKind(StrEnum):
    """What a credential proves."""

    DEVICE = "device"
    EMAIL = "email"


class CodePurpose(StrEnum):
    """What a code by mail may be used for; a code of one purpose is worth nothing for another."""

    REGISTER = "register"
    LOGIN = "login"
    RESET = "reset"


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
    Column("role", Enumerated(UserRole, 16), nullable=False, server_default=text("'user'"), default=UserRole.USER),
    Column("language", String(16)),
    Column("password_hash", String(255)),
    Column("password_version", Integer, nullable=False, server_default=text("0"), default=0),
    Column("email_confirmed_at", UtcTime),
    Column("login_count", Integer, nullable=False, server_default=text("0"), default=0),
    Column("last_login_at", UtcTime),
    Column("failed_login_attempts", Integer, nullable=False, server_default=text("0"), default=0),
    Column("locked_until", UtcTime),
    Index(None, "realm", "id"),
)
"""`failed_login_attempts` and `locked_until` are copies, for people to look at: what counts is in `tallies`, where addresses
without an account are counted too."""

credentials = Table(
    "credentials",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("kind", Enumerated(CredentialKind, 16), primary_key=True),
    Column("identifier", String(254), primary_key=True),
    Column("user_id", Id, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("user_id", "kind", "identifier"),
)

email_codes = Table(
    "email_codes",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("purpose", Enumerated(CodePurpose, 16), primary_key=True),
    Column("email", String(254), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("asked_from", String(64), nullable=False),
    Column("asked_on", String(128)),
    Column("own_tries", Integer, nullable=False),
    Column("other_tries", Integer, nullable=False),
    Column("sent_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("used_at", UtcTime),
)

tallies = Table(
    "tallies",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("bucket", String(96), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("ends_at", UtcTime, nullable=False, index=True),
    Column("locked_until", UtcTime),
)

known_devices = Table(
    "known_devices",
    metadata,
    Column("realm", String(32), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("user_id", Id, nullable=False, index=True),
    Column("seen_at", UtcTime, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("user_id", Id, nullable=False),
    Column("slot", Integer),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("last_four", String(4), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
    UniqueConstraint("digest"),
    UniqueConstraint("realm", "user_id", "slot"),
)
"""A key that is good holds one of its user's places (`slot`), so that two made at once cannot pass the limit; a key that
was revoked holds none."""
