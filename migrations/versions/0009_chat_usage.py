"""Records of chat calls, and the responses that the compatible endpoint keeps

Revision: 0009
Before: 0008
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, Json, UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_responses",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("api_key_id", Id(), nullable=True),
        sa.Column("reservation_id", Id(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("previous_id", sa.String(48), nullable=True),
        sa.Column("request", Json(), nullable=False),
        sa.Column("items", Json(), nullable=False),
        sa.Column("answer", Json(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_chat_responses"),
        sa.UniqueConstraint("reservation_id", name="uq_chat_responses_reservation_id"),
    )
    op.create_index("ix_chat_responses_created_at", "chat_responses", ["created_at"])
    op.create_index("ix_chat_responses_user_id_created_at", "chat_responses", ["user_id", "created_at"])
    op.create_table(
        "chat_usage",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("api_key_id", Id(), nullable=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("provider_model", sa.String(128), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_micros", Id(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chat_usage"),
    )
    op.create_index("ix_chat_usage_user_id_day", "chat_usage", ["user_id", "day"])


def downgrade() -> None:
    for table in ("chat_usage", "chat_responses"):
        op.drop_table(table)
