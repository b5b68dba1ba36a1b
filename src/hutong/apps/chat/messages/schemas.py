"""Bodies of messages."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from hutong.apps.chat.conversations.schemas import MessageView
from hutong.apps.chat.conversations.views import message_view
from hutong.apps.chat.replies.planning import Wish
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import LONGEST_MODEL
from hutong.kernel.http.strict import StrictModel

LONGEST = 1_000_000
"""Characters that any installation may allow."""
Content = Annotated[str, Field(min_length=1, max_length=LONGEST, examples=["Tell me of the hutongs of Beijing."])]
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop")


class ReplyWish(StrictModel):
    """How a reply is wanted."""

    model: Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)] | None = Field(
        None, description="Left out: the conversation's."
    )
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


class WantedReply(ReplyWish):
    """How a reply is wanted, and how it is told."""

    stream: bool = Field(False, description="Answer with server-sent events, as it is written.")


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


class ReplyView(BaseModel):
    """What was asked, and the reply."""

    user_message: MessageView
    message: MessageView


def reply_view(question: Message, reply: Message) -> dict[str, Any]:
    """As `ReplyView`."""
    return {"user_message": message_view(question), "message": message_view(reply)}
