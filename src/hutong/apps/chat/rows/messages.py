"""Queries of messages, each scoped by their user. A conversation is a tree: `parent_id` names what a message answers.

Replies go from streaming to one of the other states by compare-and-set, once; whoever comes second changes nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, and_, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from hutong.apps.chat.rows import conversations
from hutong.apps.chat.rows.errors import MessageUnknown
from hutong.apps.chat.rows.ids import new_uuid
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.apps.chat.rows.tables import chat_messages as messages
from hutong.kernel.gateway.chat import Usage

TICK = timedelta(microseconds=1)
DEEPEST = 10_000
"""Messages of a branch that are read at most."""
PIECE = 500
"""Rows that one statement adds."""
PIECE_CHARACTERS = 2_000_000


class Message(NamedTuple):
    """A message. A tuple, because hundreds are read at once.

    Args:
        id: a UUID, unique among the user's.
        conversation_id: where it stands.
        parent_id: what it answers; None for the first.
        role, content: whose words, and which; of a reply that streams, as far as it was saved.
        status: how far it is.
        model: of a reply, as the caller named it.
        prompt_tokens, completion_tokens, tokens_used: None where nobody counted.
        cost: micro-units of the models' currency.
        finish_reason: the provider's.
        error: the code of what a failed reply ended with.
        created_at, updated_at: moments.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: MessageRole
    content: str
    status: MessageStatus
    created_at: datetime
    updated_at: datetime
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_used: int | None = None
    cost: int | None = None
    finish_reason: str | None = None
    error: str | None = None


class Reserved(NamedTuple):
    """A reply by its reservation."""

    user_id: int
    message: Message


class Place(NamedTuple):
    """Where a list goes on: after the message that was made then and has this id."""

    created_at: datetime
    id: str


COLUMNS = [messages.c[name] for name in Message._fields]


def add_message(conn: Connection, user_id: int, new: Message) -> None:
    """Add a message as it is; what it answers is not looked at."""
    conn.execute(messages.insert().values(**_row(user_id, new)))


def add_absent(conn: Connection, user_id: int, new: Sequence[Message]) -> bool:
    """Add messages as they are. Returns False if one of their ids is the user's already: then the caller has to roll back."""
    for piece in _pieces(new):
        taken = select(messages.c.id).where(messages.c.user_id == user_id, messages.c.id.in_([one.id for one in piece]))
        if conn.execute(taken.limit(1)).first() is not None:
            return False
        try:
            conn.execute(messages.insert(), [_row(user_id, one) for one in piece])
        except IntegrityError:  # somebody added it at the same moment
            return False
    return True


def _pieces(new: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """As much as one statement takes: MariaDB refuses one that is larger than 16 MiB."""
    piece: list[Message] = []
    size = 0
    for one in new:
        if piece and (len(piece) == PIECE or size + len(one.content) > PIECE_CHARACTERS):
            yield piece
            piece, size = [], 0
        piece.append(one)
        size += len(one.content)
    if piece:
        yield piece


def _row(user_id: int, one: Message) -> dict[str, Any]:
    return {"user_id": user_id, **one._asdict()}


def add_user_message(
    conn: Connection, user_id: int, conversation_id: str, parent_id: str | None, content: str, now: datetime
) -> Message:
    """Add a user's message, and make it the conversation's newest.

    Args:
        conn: the unit of work.
        user_id, conversation_id: where.
        parent_id: the message that it answers; None begins the conversation, or another branch from its start.
        content: as typed.
        now: the present moment.

    Raises:
        ConversationUnknown, MessageUnknown: the conversation or the parent is not there, or somebody else's.
    """
    return _answer(conn, user_id, conversation_id, parent_id, MessageRole.USER, content, None, None, now)


def open_reply(
    conn: Connection,
    user_id: int,
    conversation_id: str,
    parent_id: str,
    *,
    model: str,
    reservation_id: int | None,
    now: datetime,
) -> Message:
    """Add an empty reply that streams, and make it the conversation's newest.

    Args:
        conn: the unit of work.
        user_id, conversation_id: where.
        parent_id: the user's message.
        model: as the caller named it.
        reservation_id: of the quota that it was reserved from, by which `find_reserved` finds it.
        now: the present moment.

    Raises:
        ConversationUnknown, MessageUnknown.
    """
    return _answer(conn, user_id, conversation_id, parent_id, MessageRole.ASSISTANT, "", model, reservation_id, now)


def save_reply(conn: Connection, user_id: int, message_id: str, content: str, now: datetime) -> bool:
    """Save what was generated so far. Returns False, nothing written, if the reply does not stream any more."""
    changed = {"content": content, "updated_at": now}
    return conn.execute(update(messages).where(*_streaming(user_id, message_id)).values(**changed)).rowcount == 1


def finish_reply(
    conn: Connection,
    user_id: int,
    message_id: str,
    *,
    status: MessageStatus,
    content: str | None,
    now: datetime,
    usage: Usage | None = None,
    finish_reason: str | None = None,
    cost: int | None = None,
    error: str | None = None,
) -> bool:
    """End a reply, once.

    Args:
        conn: the unit of work.
        user_id, message_id: which.
        status: how it ended; not streaming.
        content: everything that was generated; None leaves what was saved.
        now: the present moment.
        usage, finish_reason, cost: as the provider, or our own count, has them.
        error: a code, of a reply that failed or was interrupted.

    Returns:
        False, nothing written, if it ended before or was deleted.
    """
    values: dict[str, Any] = {"status": status, "updated_at": now, "finish_reason": finish_reason, "error": error}
    if content is not None:
        values["content"] = content
    if usage is not None:
        values |= {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "tokens_used": usage.total}
    values["cost"] = cost
    return conn.execute(update(messages).where(*_streaming(user_id, message_id)).values(**values)).rowcount == 1


def get_message(conn: Connection, user_id: int, conversation_id: str, message_id: str) -> Message:
    """The message.

    Raises:
        MessageUnknown: there is none, or it is somebody else's, or stands elsewhere.
    """
    mine = (*_mine(user_id, message_id), messages.c.conversation_id == conversation_id)
    row = conn.execute(select(*COLUMNS).where(*mine)).first()
    if row is None:
        raise MessageUnknown
    return Message(*row)


def find_message(conn: Connection, user_id: int, message_id: str) -> Message | None:
    """The user's message, in whichever conversation it stands."""
    row = conn.execute(select(*COLUMNS).where(*_mine(user_id, message_id))).first()
    return Message(*row) if row else None


def find_reserved(conn: Connection, reservation_id: int) -> Reserved | None:
    """The reply that a reservation of quota was made for, of whichever user: for sweeps, never for callers."""
    query = select(messages.c.user_id, *COLUMNS).where(messages.c.reservation_id == reservation_id)
    row = conn.execute(query).first()
    return Reserved(row[0], Message(*row[1:])) if row else None


def history(
    conn: Connection, user_id: int, conversation_id: str, leaf_id: str, *, deepest: int = DEEPEST
) -> Sequence[Message]:
    """The branch that ends in a message: from the first, or the `deepest` newest, to that message.

    Raises:
        MessageUnknown: there is no such message in this conversation.
    """
    branch = (
        select(messages.c.id, messages.c.parent_id, literal(1, Integer).label("depth"))
        .where(*_mine(user_id, leaf_id), messages.c.conversation_id == conversation_id)
        .cte("branch", recursive=True)
    )
    above = select(messages.c.id, messages.c.parent_id, branch.c.depth + 1).where(
        messages.c.user_id == user_id, messages.c.id == branch.c.parent_id, branch.c.depth < deepest
    )
    branch = branch.union_all(above)
    rows = select(*COLUMNS).join(branch, messages.c.id == branch.c.id).where(messages.c.user_id == user_id)
    found = [Message._make(row) for row in conn.execute(rows.order_by(branch.c.depth.desc()))]
    if not found:
        raise MessageUnknown
    return found


def list_messages(
    conn: Connection, user_id: int, conversation_id: str, *, limit: int, after: Place | None = None
) -> Sequence[Message]:
    """Messages of all branches, the oldest first; parents come before what answers them."""
    mine: list[ColumnElement[bool]] = [messages.c.user_id == user_id, messages.c.conversation_id == conversation_id]
    if after is not None:
        later = or_(messages.c.created_at > after.created_at, messages.c.id > after.id)
        mine.append(and_(messages.c.created_at >= after.created_at, later))
    oldest = select(*COLUMNS).where(*mine).order_by(messages.c.created_at, messages.c.id).limit(limit)
    return [Message._make(row) for row in conn.execute(oldest)]


def list_streaming(conn: Connection, user_id: int, conversation_id: str | None = None) -> Sequence[Message]:
    """The user's replies that are being generated, in one conversation or in all."""
    mine: list[ColumnElement[bool]] = [messages.c.status == MessageStatus.STREAMING, messages.c.user_id == user_id]
    if conversation_id is not None:
        mine.append(messages.c.conversation_id == conversation_id)
    return [Message._make(row) for row in conn.execute(select(*COLUMNS).where(*mine).order_by(messages.c.created_at))]


def _answer(
    conn: Connection,
    user_id: int,
    conversation_id: str,
    parent_id: str | None,
    role: MessageRole,
    content: str,
    model: str | None,
    reservation_id: int | None,
    now: datetime,
) -> Message:
    """Add a message below its parent. The conversation's row comes first: whoever deletes it waits for us, or we find none."""
    message_id = new_uuid(now)
    conversations.change_conversation(conn, user_id, conversation_id, {"leaf_id": message_id}, now)
    made = now
    if parent_id is not None:
        made = max(now, get_message(conn, user_id, conversation_id, parent_id).created_at + TICK)
    new = Message(
        id=message_id,
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=role,
        content=content,
        status=MessageStatus.STREAMING if role is MessageRole.ASSISTANT else MessageStatus.COMPLETE,
        model=model,
        created_at=made,
        updated_at=made,
    )
    conn.execute(messages.insert().values(reservation_id=reservation_id, **_row(user_id, new)))
    return new


def _mine(user_id: int, message_id: str) -> tuple[ColumnElement[bool], ...]:
    return messages.c.user_id == user_id, messages.c.id == message_id


def _streaming(user_id: int, message_id: str) -> tuple[ColumnElement[bool], ...]:
    return (*_mine(user_id, message_id), messages.c.status == MessageStatus.STREAMING)
