"""Quotas with their reservations, and API keys

Revision: 0007
Before: 0006
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("last_four", sa.String(4), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("last_used_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sa.UniqueConstraint("realm", "user_id", "slot", name="uq_api_keys_realm_user_id_slot"),
    )
    op.create_table(
        "quota_reservations",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("owner", sa.String(96), nullable=False),
        sa.Column("tokens", Id(), nullable=False),
        sa.Column("used", Id(), nullable=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.CheckConstraint("tokens >= 0", name="ck_quota_reservations_tokens_not_negative"),
        sa.PrimaryKeyConstraint("id", name="pk_quota_reservations"),
    )
    op.create_index("ix_quota_reservations_user_id_state", "quota_reservations", ["user_id", "state"])
    op.create_index("ix_quota_reservations_state_expires_at", "quota_reservations", ["state", "expires_at"])
    op.create_table(
        "user_quotas",
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("last_reset_date", sa.String(10), nullable=False),
        sa.Column("daily_requests", Id(), nullable=False),
        sa.Column("monthly_requests", Id(), nullable=False),
        sa.Column("daily_tokens", Id(), nullable=False),
        sa.Column("monthly_tokens", Id(), nullable=False),
        sa.Column("refunds", sa.Integer(), nullable=False),
        sa.CheckConstraint("daily_requests >= 0 AND daily_tokens >= 0", name="ck_user_quotas_daily_not_negative"),
        sa.CheckConstraint("monthly_requests >= 0 AND monthly_tokens >= 0", name="ck_user_quotas_monthly_not_negative"),
        sa.PrimaryKeyConstraint("realm", "user_id", name="pk_user_quotas"),
    )


def downgrade() -> None:
    for table in ("user_quotas", "quota_reservations", "api_keys"):
        op.drop_table(table)
