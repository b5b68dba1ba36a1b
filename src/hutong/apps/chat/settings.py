"""Settings of the chat app."""

from pydantic import Field

from hutong.apps.chat.compatible.settings import CompatibleSettings
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.kernel.identity.sessions import SessionPolicy
from hutong.kernel.settings import RealmKeys, Section

DAY = 86_400
ACCESS_SECONDS = 1_800


class QuotaSettings(Section):
    """What one user may use; VIPs get `vip_factor` times as much, and an administrator may set each limit of a user."""

    daily_requests: int = Field(100, ge=0, description="Requests to models a day (UTC).")
    monthly_requests: int = Field(2_000, ge=0, description="Requests to models a calendar month (UTC).")
    daily_tokens: int = Field(200_000, ge=0, description="Tokens a day (UTC).")
    monthly_tokens: int = Field(4_000_000, ge=0, description="Tokens a calendar month (UTC).")
    vip_factor: int = Field(10, ge=1, le=10_000, description="Times as much for VIPs.")


class ConversationSettings(Section):
    """Bounds of conversations."""

    most: int = Field(20_000, ge=1, description="Conversations of one user, the archived ones too.")
    export_most: int = Field(
        200, ge=1, le=1_000, description="Conversations in one export; the rest is exported from its cursor on."
    )
    import_most: int = Field(1_000, ge=1, le=10_000, description="Conversations in one import.")
    import_most_messages: int = Field(20_000, ge=1, le=100_000, description="Messages in one import.")


class ChatSettings(Section):
    """Keys, limits and times; the defaults are the contract's. What concerns all realms is in the section `auth`."""

    tokens: RealmKeys = Field(RealmKeys(), description="Signing keys of the realm; required in production.")
    sessions: SessionPolicy = Field(
        SessionPolicy(access_seconds=ACCESS_SECONDS, refresh_seconds=30 * DAY),
        description="Lifetimes and bounds of sessions.",
    )
    quota: QuotaSettings = Field(QuotaSettings(), description="Limits of users.")
    conversations: ConversationSettings = Field(ConversationSettings(), description="Bounds of conversations.")
    replies: ReplySettings = Field(ReplySettings(), description="Replies of models.")
    compatible: CompatibleSettings = Field(
        CompatibleSettings(), description="The endpoint for OpenAI's clients, under `/v1`."
    )
    default_model: str = Field(
        "", description="Model of a conversation whose maker names none; empty: the first that the user may use."
    )
    session_copy_seconds: float = Field(
        1_800.0, ge=1, description="Seconds that a copy of a member is kept in the store."
    )
    list_copy_seconds: float = Field(
        300.0, ge=1, description="Seconds that a copy of a list of conversations is kept in the store."
    )
    process_copies: int = Field(
        2_000, ge=0, description="Copies of each kind that a process keeps in memory beside the store's."
    )
