"""Sessions

Revision: 0003
Before: 0002
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("device_id", sa.String(128), nullable=True),
        sa.Column("agent", sa.String(200), nullable=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.String(32), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("last_used_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("lasts_until", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("end_reason", sa.String(16), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_user_id_ended_at", "sessions", ["user_id", "ended_at"])


def downgrade() -> None:
    op.drop_table("sessions")
