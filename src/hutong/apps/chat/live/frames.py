"""The frames of the socket: those that clients send, checked; and those that they get, made here.

Source: docs/apps/chat-protocol.md.
"""

from abc import abstractmethod
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from hutong.apps.chat.conversations.views import message_view
from hutong.apps.chat.messages.schemas import LONGEST, ReplyWish
from hutong.apps.chat.replies.events import ReplyEvent
from hutong.apps.chat.replies.planning import Edit, Leaf, Order, Regenerate, Send
from hutong.apps.chat.replies.service import Reply
from hutong.kernel.realtime import Frame

PublicId = Annotated[str, Field(min_length=1, max_length=36)]
Key = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")]
Content = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class WritingFrame(Frame, ReplyWish):
    """A frame that has a reply written.

    Args:
        key: of the client's choice: the same key and frame again attach to the same reply.
    """

    key: Key | None = None

    @abstractmethod
    def order(self) -> Order:
        """The same in the words of `replies`."""


class SendFrame(WritingFrame):
    """A new message. `parent_id` as in `POST /conversations/{id}/messages`."""

    type: Literal["send"]
    conversation_id: PublicId
    content: Content
    parent_id: PublicId | None = None

    def order(self) -> Order:
        """The same in the words of `replies`."""
        parent_id = self.parent_id if "parent_id" in self.model_fields_set else Leaf()
        return Send(self.conversation_id, self.content, parent_id)


class RegenerateFrame(WritingFrame):
    """A reply again."""

    type: Literal["regenerate"]
    conversation_id: PublicId
    message_id: PublicId

    def order(self) -> Order:
        """The same in the words of `replies`."""
        return Regenerate(self.conversation_id, self.message_id)


class EditFrame(WritingFrame):
    """Other words for a message of the user."""

    type: Literal["edit"]
    message_id: PublicId
    content: Content

    def order(self) -> Order:
        """The same in the words of `replies`."""
        return Edit(self.message_id, self.content)


class StopFrame(Frame):
    """End a reply where it is."""

    type: Literal["stop"]
    message_id: PublicId


class AttachFrame(Frame):
    """Hear a reply, from behind the event `after`; instead of hearing it from elsewhere, if this socket does."""

    type: Literal["attach"]
    message_id: PublicId
    after: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0


class DetachFrame(Frame):
    """Hear no more of a reply here. It goes on."""

    type: Literal["detach"]
    message_id: PublicId


KINDS: tuple[type[Frame], ...] = (SendFrame, RegenerateFrame, EditFrame, StopFrame, AttachFrame, DetachFrame)


def accepted(frame: Frame, reply: Reply) -> dict[str, Any]:
    """The answer to a frame that has a reply written."""
    told = {"conversation_id": reply.reply.conversation_id, "fresh": reply.fresh}
    return answer(
        "accepted", frame, **told, user_message=message_view(reply.question), message=message_view(reply.reply)
    )


def answer(kind: str, frame: Frame, **fields: Any) -> dict[str, Any]:
    """A frame that answers another, with the client's mark."""
    mark = {} if frame.id is None else {"id": frame.id}
    return {"type": kind, **mark, **fields}


def told(message_id: str, event: ReplyEvent) -> str:
    """What happened to a reply, as a frame: the same fields as of the event stream, and which reply it is."""
    seq = {"seq": event.seq} if event.seq else {}
    return orjson.dumps({"type": event.kind, "message_id": message_id, **seq, **event.data}).decode()
