"""Chat: members, conversations, messages

Revision: 0008
Before: 0007
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, LongText, UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chat_members",
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("username", sa.String(50), nullable=False),
        sa.Column("username_key", sa.String(50), nullable=False),
        sa.Column("is_vip", sa.Boolean(), nullable=False),
        sa.Column("daily_requests", Id(), nullable=True),
        sa.Column("monthly_requests", Id(), nullable=True),
        sa.Column("daily_tokens", Id(), nullable=True),
        sa.Column("monthly_tokens", Id(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_chat_members"),
        sa.UniqueConstraint("username_key", name="uq_chat_members_username_key"),
    )
    op.create_table(
        "chat_conversations",
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("leaf_id", sa.String(36), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_chat_conversations"),
    )
    op.create_index(
        "ix_chat_conversations_user_id_updated_at_id", "chat_conversations", ["user_id", "updated_at", "id"]
    )
    op.create_index(
        "ix_chat_conversations_user_id_is_archived_updated_at_id",
        "chat_conversations",
        ["user_id", "is_archived", "updated_at", "id"],
    )
    op.create_table(
        "chat_messages",
        sa.Column("user_id", Id(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("parent_id", sa.String(36), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", LongText(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("tokens_used", sa.Integer(), nullable=True),
        sa.Column("cost", Id(), nullable=True),
        sa.Column("finish_reason", sa.String(32), nullable=True),
        sa.Column("error", sa.String(64), nullable=True),
        sa.Column("reservation_id", Id(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_chat_messages"),
        sa.UniqueConstraint("reservation_id", name="uq_chat_messages_reservation_id"),
    )
    op.create_index(
        "ix_chat_messages_user_id_conversation_id_created_at_id",
        "chat_messages",
        ["user_id", "conversation_id", "created_at", "id"],
    )
    op.create_index("ix_chat_messages_status_updated_at", "chat_messages", ["status", "updated_at"])


def downgrade() -> None:
    for table in ("chat_messages", "chat_conversations", "chat_members"):
        op.drop_table(table)
