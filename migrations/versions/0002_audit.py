"""Audit trail

Revision: 0002
Before: 0001
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, Json, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("user_id", Id(), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("device_id", sa.String(128), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_realm_kind_created_at", "audit_events", ["realm", "kind", "created_at"])
    op.create_index("ix_audit_events_realm_user_id_created_at", "audit_events", ["realm", "user_id", "created_at"])


def downgrade() -> None:
    op.drop_table("audit_events")
