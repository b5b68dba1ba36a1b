"""The export's own format: conversations with whole trees of messages, as JSON that `POST /conversations/import` takes back.

Ids are kept, so that a second import of the same file adds nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from hutong.apps.chat.conversations.rules import normalise_title
from hutong.apps.chat.rows.conversations import Conversation
from hutong.apps.chat.rows.errors import ImportInvalid, TitleInvalid
from hutong.apps.chat.rows.ids import parse_uuid
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import LONGEST_MODEL, LONGEST_TITLE, MessageRole, MessageStatus
from hutong.kernel.http.strict import Moment, StrictModel

FORMAT = "hutong.chat"
VERSION = 1
LONGEST_CONTENT = 1_000_000
MOST_TOKENS = 2**31 - 1
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far the clock of who exported may have been ahead."""
Uuid = Annotated[str, Field(min_length=36, max_length=36)]
Model = Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL)]
Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class PortableMessage(StrictModel):
    """A message of an export."""

    id: Uuid
    parent_id: Uuid | None
    role: Annotated[MessageRole, Field(strict=False)]
    content: str = Field(max_length=LONGEST_CONTENT)
    status: Annotated[MessageStatus, Field(strict=False)]
    model: Model | None = None
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    finish_reason: Annotated[str, Field(max_length=32)] | None = None
    created_at: Moment


class PortableConversation(StrictModel):
    """A conversation of an export; parents come before what answers them."""

    id: Uuid
    title: str = Field(max_length=LONGEST_TITLE)
    model: Model
    is_archived: bool
    leaf_id: Uuid | None
    created_at: Moment
    updated_at: Moment
    messages: list[PortableMessage]


class Export(StrictModel):
    """An export: some or all conversations of a user."""

    format: Literal["hutong.chat"]
    version: Literal[1]
    exported_at: Moment
    next_cursor: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Where the next export goes on; null if this one holds the rest."
    )
    conversations: list[PortableConversation]


def portable(conversation: Conversation, messages: Sequence[Message]) -> dict[str, Any]:
    """A conversation in an export, JSON-ready."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "is_archived": conversation.is_archived,
        "leaf_id": conversation.leaf_id,
        "created_at": _exact(conversation.created_at),
        "updated_at": _exact(conversation.updated_at),
        "messages": [_portable_message(message) for message in messages],
    }


def _portable_message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": message.content,
        "status": message.status,
        "model": message.model,
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "finish_reason": message.finish_reason,
        "created_at": _exact(message.created_at),
    }


def conversation_of(given: PortableConversation, now: datetime) -> Conversation:
    """The row of a conversation that is imported.

    Raises:
        ImportInvalid: an id, the title or a moment is none that we would have exported.
    """
    try:
        title = normalise_title(given.title)
    except TitleInvalid as error:
        raise ImportInvalid("A title in this file holds characters that are not printable.") from error
    _check_id(given.id)
    if given.leaf_id is not None and given.leaf_id not in {message.id for message in given.messages}:
        raise ImportInvalid(f"The newest message of the conversation {given.id} is not in this file.")
    created, updated = _moment(given.created_at, now), _moment(given.updated_at, now)
    return Conversation(given.id, title, given.model, given.is_archived, given.leaf_id, created, updated)


def messages_of(given: PortableConversation, now: datetime) -> list[Message]:
    """The rows of its messages. What was streaming is interrupted: nobody goes on with it here.

    Raises:
        ImportInvalid: an id, a parent or a moment is none that we would have exported.
    """
    found: dict[str, Message] = {}
    for one in given.messages:
        _check_id(one.id)
        if one.id in found or (one.parent_id is not None and one.parent_id not in found):
            raise ImportInvalid(f"The message {one.id} is there twice, or comes before the one that it answers.")
        made = _moment(one.created_at, now)
        if one.parent_id is not None and made <= found[one.parent_id].created_at:
            raise ImportInvalid(f"The message {one.id} is older than the one that it answers.")
        found[one.id] = _message(one, given.id, made)
    return list(found.values())


def _message(one: PortableMessage, conversation_id: str, made: datetime) -> Message:
    counted = [tokens for tokens in (one.prompt_tokens, one.completion_tokens) if tokens is not None]
    return Message(
        id=one.id,
        conversation_id=conversation_id,
        parent_id=one.parent_id,
        role=one.role,
        content=one.content,
        status=MessageStatus.INTERRUPTED if one.status is MessageStatus.STREAMING else one.status,
        created_at=made,
        updated_at=made,
        model=one.model,
        prompt_tokens=one.prompt_tokens,
        completion_tokens=one.completion_tokens,
        tokens_used=min(sum(counted), MOST_TOKENS) if counted else None,
        finish_reason=one.finish_reason,
    )


def _check_id(text: str) -> None:
    if parse_uuid(text) is None:
        raise ImportInvalid("An id in this file is no UUID in its usual form.")


def _moment(moment: datetime, now: datetime) -> datetime:
    if not EARLIEST <= moment <= now + AHEAD:
        raise ImportInvalid("A moment in this file is in the future, or before this century.")
    return moment.astimezone(UTC)


def _exact(moment: datetime) -> str:
    """With microseconds, by which messages are told apart."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
