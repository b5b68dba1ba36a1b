"""Bodies of messages."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hutong.apps.chat.replies.planning import Wish
from hutong.apps.chat.rows.tables import LONGEST_MODEL, MessageRole, MessageStatus
from hutong.kernel.http.strict import StrictModel

LONGEST = 1_000_000
"""Characters that any installation may allow."""
Content = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["Tell me of the hutongs of Beijing."])]
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop")


class WantedReply(StrictModel):
    """How a reply is wanted."""

    model: Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)] | None = Field(
        None, description="Left out: the conversation's."
    )
    stream: bool = Field(False, description="Answer with server-sent events, as it is written.")
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="Tokens of the reply at most."
    )
    temperature: Annotated[float, Field(strict=False, ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(strict=False, ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(strict=False, ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(strict=False, ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    stop: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=4)] | None
    ) = None

    def wish(self) -> Wish:
        """The same in the words of `replies`."""
        sampling = {name: value for name in SAMPLING if (value := getattr(self, name)) is not None}
        return Wish(self.model, self.max_tokens, sampling)


class SendMessage(WantedReply):
    """A new message of the user."""

    content: Content
    parent_id: str | None = Field(
        None,
        max_length=36,
        description="The message that it follows: left out, the newest; null, none (the first, or a branch from the start).",
    )
    client_message_id: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")] | None = Field(
        None, description="As the header Idempotency-Key, for clients that number their messages."
    )


class EditMessage(WantedReply):
    """Other words in place of a message."""

    content: Content


class MessageView(BaseModel):
    """A message."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    conversation_id: str
    parent_id: str | None = Field(description="The message that it follows; null for a first one.")
    role: MessageRole
    content: str
    status: MessageStatus
    model: str | None = Field(description="Of a reply.")
    prompt_tokens: int | None
    completion_tokens: int | None
    tokens_used: int | None = Field(description="Null where nobody counted, which is not nought.")
    cost: int | None = Field(description="Millionths of the currency of the models' prices.")
    finish_reason: str | None = Field(description="The provider's; null unless the reply is complete.")
    error: str | None = Field(description="Code of what a failed or interrupted reply ended with.")
    created_at: str
    updated_at: str


class ReplyView(BaseModel):
    """What was asked, and the reply."""

    user_message: MessageView
    message: MessageView


def reply_view(question: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """The body that `ReplyView` describes."""
    return {"user_message": question, "message": reply}
