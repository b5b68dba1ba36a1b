"""Accounts with an e-mail address: passwords, codes, tries

Revision: 0004
Before: 0003
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEW = (
    "role",
    "language",
    "password_hash",
    "password_version",
    "email_confirmed_at",
    "login_count",
    "last_login_at",
    "failed_login_attempts",
    "locked_until",
)


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("role", sa.String(16), nullable=False, server_default=sa.text("'user'")))
        users.add_column(sa.Column("language", sa.String(16), nullable=True))
        users.add_column(sa.Column("password_hash", sa.String(255), nullable=True))
        users.add_column(sa.Column("password_version", sa.Integer(), nullable=False, server_default=sa.text("0")))
        users.add_column(sa.Column("email_confirmed_at", UtcTime(), nullable=True))
        users.add_column(sa.Column("login_count", sa.Integer(), nullable=False, server_default=sa.text("0")))
        users.add_column(sa.Column("last_login_at", UtcTime(), nullable=True))
        users.add_column(sa.Column("failed_login_attempts", sa.Integer(), nullable=False, server_default=sa.text("0")))
        users.add_column(sa.Column("locked_until", UtcTime(), nullable=True))
    with op.batch_alter_table("credentials") as credentials:
        credentials.alter_column(
            "identifier", existing_type=sa.String(128), type_=sa.String(254), existing_nullable=False
        )
    _create_codes()
    _create_counters()


def _create_codes() -> None:
    op.create_table(
        "email_codes",
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("asked_from", sa.String(64), nullable=False),
        sa.Column("asked_on", sa.String(128), nullable=True),
        sa.Column("own_tries", sa.Integer(), nullable=False),
        sa.Column("other_tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "purpose", "email", name="pk_email_codes"),
    )
    op.create_index("ix_email_codes_expires_at", "email_codes", ["expires_at"])


def _create_counters() -> None:
    op.create_table(
        "tallies",
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("bucket", sa.String(96), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("locked_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("realm", "bucket", name="pk_tallies"),
    )
    op.create_index("ix_tallies_ends_at", "tallies", ["ends_at"])
    op.create_table(
        "known_devices",
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("realm", "digest", name="pk_known_devices"),
    )
    op.create_index("ix_known_devices_user_id", "known_devices", ["user_id"])
    op.create_index("ix_known_devices_seen_at", "known_devices", ["seen_at"])


def downgrade() -> None:
    op.drop_table("known_devices")
    op.drop_table("tallies")
    op.drop_table("email_codes")
    with op.batch_alter_table("credentials") as credentials:
        credentials.alter_column(
            "identifier", existing_type=sa.String(254), type_=sa.String(128), existing_nullable=False
        )
    with op.batch_alter_table("users") as users:
        for name in reversed(NEW):
            users.drop_column(name)
