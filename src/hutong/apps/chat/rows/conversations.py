"""Queries of conversations, each scoped by their user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from hutong.apps.chat.rows.errors import ConversationUnknown
from hutong.apps.chat.rows.tables import chat_conversations as conversations
from hutong.apps.chat.rows.tables import chat_messages as messages
from hutong.kernel.db import insert_if_absent


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation.

    Args:
        id: a UUID, unique among the user's.
        title: may be empty.
        model: the name that replies are asked of.
        is_archived: whether it is kept out of the ordinary list.
        leaf_id: the newest message, None in an empty conversation.
        created_at, updated_at: moments; a message updates its conversation.
    """

    id: str
    title: str
    model: str
    is_archived: bool
    leaf_id: str | None
    created_at: datetime
    updated_at: datetime


class Place(NamedTuple):
    """Where a list goes on: after the conversation that was updated then and has this id."""

    updated_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations are asked for.

    Args:
        archived: only those that are, or are not; None for all.
        words: each of which is in the title or in one message.
        after: where the last page ended.
        limit: at most so many.
    """

    archived: bool | None = False
    words: tuple[str, ...] = ()
    after: Place | None = None
    limit: int = 20


COLUMNS = [conversations.c[name] for name in Conversation.__dataclass_fields__]


def add_conversation(conn: Connection, user_id: int, new: Conversation) -> None:
    """Add a conversation."""
    row = {name: getattr(new, name) for name in Conversation.__dataclass_fields__}
    conn.execute(conversations.insert().values(user_id=user_id, **row))


def add_absent(conn: Connection, user_id: int, new: Conversation) -> bool:
    """Add a conversation unless the user has one of this id. Returns whether it was added."""
    row = {name: getattr(new, name) for name in Conversation.__dataclass_fields__}
    return insert_if_absent(conn, conversations, {"user_id": user_id, **row})


def get_conversation(conn: Connection, user_id: int, conversation_id: str) -> Conversation:
    """The conversation.

    Raises:
        ConversationUnknown: there is none, or it is somebody else's.
    """
    row = conn.execute(select(*COLUMNS).where(*_mine(user_id, conversation_id))).first()
    if row is None:
        raise ConversationUnknown
    return Conversation(*row)


def count_conversations(conn: Connection, user_id: int) -> int:
    """How many the user has, the archived ones too."""
    query = select(func.count()).select_from(conversations).where(conversations.c.user_id == user_id)
    return int(conn.execute(query).scalar_one())


def list_conversations(conn: Connection, user_id: int, wanted: Wanted) -> Sequence[Conversation]:
    """The user's conversations, the one that was updated last first."""
    which: list[ColumnElement[bool]] = [conversations.c.user_id == user_id]
    if wanted.archived is not None:
        which.append(conversations.c.is_archived == wanted.archived)
    if wanted.after is not None:
        which.append(_older(wanted.after))
    which.extend(_holds(user_id, word) for word in wanted.words)
    newest = select(*COLUMNS).where(*which).order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
    return [Conversation(*row) for row in conn.execute(newest.limit(wanted.limit))]


def change_conversation(
    conn: Connection, user_id: int, conversation_id: str, values: Mapping[str, Any], now: datetime
) -> None:
    """Set columns of a conversation.

    Raises:
        ConversationUnknown: there is none, or it is somebody else's.
    """
    changed = update(conversations).where(*_mine(user_id, conversation_id)).values(**values, updated_at=now)
    if conn.execute(changed).rowcount != 1:
        raise ConversationUnknown


def remove_conversation(conn: Connection, user_id: int, conversation_id: str) -> None:
    """Delete a conversation with its messages. A reply that is being generated ends by itself: nothing is left to finish.

    Raises:
        ConversationUnknown: there is none, or it is somebody else's.
    """
    if conn.execute(delete(conversations).where(*_mine(user_id, conversation_id))).rowcount != 1:
        raise ConversationUnknown
    mine = (messages.c.user_id == user_id, messages.c.conversation_id == conversation_id)
    conn.execute(delete(messages).where(*mine))


def oldest_conversation_ids(conn: Connection, user_id: int, limit: int) -> Sequence[str]:
    """Ids of some of the user's conversations, for deleting all of them piece by piece."""
    query = select(conversations.c.id).where(conversations.c.user_id == user_id)
    return conn.execute(query.order_by(conversations.c.id).limit(limit)).scalars().all()


def _mine(user_id: int, conversation_id: str) -> tuple[ColumnElement[bool], ...]:
    return conversations.c.user_id == user_id, conversations.c.id == conversation_id


def _older(place: Place) -> ColumnElement[bool]:
    """Two comparisons, which every database answers from the index; a comparison of rows MariaDB does not."""
    columns = conversations.c
    return and_(
        columns.updated_at <= place.updated_at,
        or_(columns.updated_at < place.updated_at, columns.id < place.id),
    )


def _holds(user_id: int, word: str) -> ColumnElement[bool]:
    """The title or a message holds the word. Case does not matter; outside ASCII, on SQLite, it does."""
    said = exists().where(
        messages.c.user_id == user_id,
        messages.c.conversation_id == conversations.c.id,
        _contains(messages.c.content, word),
    )
    return or_(_contains(conversations.c.title, word), said)


def _contains(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    lowered = func.lower(column).contains(word.lower(), autoescape=True)
    return (
        lowered
        if word.isascii() or word.lower() == word.upper()
        else or_(lowered, column.contains(word, autoescape=True))
    )
