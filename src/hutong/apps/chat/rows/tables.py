"""Tables of the chat app. Ids that clients see are UUIDs, unique within a user: every key begins with `user_id`, the shard key.

Source: contracts/chat.md "Data"; reference/chat.md (what the seed's tables lack).
"""

from enum import StrEnum

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, UniqueConstraint

from hutong.kernel.db import Enumerated, Id, LongText, UtcTime, metadata

LONGEST_USERNAME = 50
LONGEST_TITLE = 200
LONGEST_MODEL = 128


class MessageRole(StrEnum):
    """Whose words a message holds."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class MessageStatus(StrEnum):
    """How far a message is. Only replies are ever anything but complete."""

    COMPLETE = "complete"
    STREAMING = "streaming"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FAILED = "failed"


chat_members = Table(
    "chat_members",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("username", String(LONGEST_USERNAME), nullable=False),
    Column("username_key", String(LONGEST_USERNAME), nullable=False),
    Column("is_vip", Boolean, nullable=False),
    Column("daily_requests", Id),
    Column("monthly_requests", Id),
    Column("daily_tokens", Id),
    Column("monthly_tokens", Id),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("username_key"),
)
"""What a user of this app has beside an account. `username_key` is the form in which two names are the same; a limit that is
null is the installation's."""

chat_conversations = Table(
    "chat_conversations",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("id", String(36), primary_key=True),
    Column("title", String(LONGEST_TITLE), nullable=False),
    Column("model", String(LONGEST_MODEL), nullable=False),
    Column("is_archived", Boolean, nullable=False),
    Column("leaf_id", String(36)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index(None, "user_id", "is_archived", "updated_at", "id"),
    Index(None, "user_id", "updated_at", "id"),
)
"""`leaf_id` is the newest message, whose branch a client shows at first."""

chat_messages = Table(
    "chat_messages",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("id", String(36), primary_key=True),
    Column("conversation_id", String(36), nullable=False),
    Column("parent_id", String(36)),
    Column("role", Enumerated(MessageRole, 16), nullable=False),
    Column("content", LongText, nullable=False),
    Column("status", Enumerated(MessageStatus, 16), nullable=False),
    Column("model", String(LONGEST_MODEL)),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("tokens_used", Integer),
    Column("cost", Id),
    Column("finish_reason", String(32)),
    Column("error", String(64)),
    Column("reservation_id", Id),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("reservation_id"),
    Index(None, "user_id", "conversation_id", "created_at", "id"),
    Index(None, "status", "updated_at"),
)
"""`tokens_used` is null where nobody counted, which is not nought; `error` is the code of what a failed reply ended with;
`cost` has micro-units of the models' currency. A message of the user is older than its replies, always."""
