"""What happens to a reply, as its log has it and as clients hear it: started, deltas, and done or error as the last one.

In the log a delta is its bare text, so that several can be told as one; everything else is JSON. Clients get objects; how
they are framed is SSE's or the socket's matter. An answer that is not whole always ends in `error`. Source:
docs/apps/chat-protocol.md; reference/chat.md §2.3 (today's clients take a clean close for success).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from hutong.apps.chat.conversations.views import message_view
from hutong.apps.chat.replies.errors import ReplyFailed, ReplyInterrupted
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageStatus
from hutong.kernel.realtime import Entry
from hutong.kit.errors import HutongError, error_classes

STARTED, DELTA, DONE, ERROR = "started", "delta", "done", "error"
LARGEST_MESSAGE = 768 * 1024
"""Bytes of a message's text within an event; whoever hears of a longer one loads it."""


class ReplyEvent(NamedTuple):
    """One thing that happened.

    Args:
        seq: its place in the log, from which a client goes on after it; 0 of what is told from the row alone.
        kind: one of the four.
        data: JSON-ready.
        last: nothing comes after it.
    """

    seq: int
    kind: str
    data: Mapping[str, Any]
    last: bool = False


def started(question: Message, reply: Message) -> bytes:
    """The first entry: what was asked, and the reply that is still empty."""
    return orjson.dumps({"user_message": _bounded(question), "message": message_view(reply)})


def ended(reply: Message, error: HutongError | None) -> tuple[str, bytes]:
    """Kind and content of the last entry."""
    kind, data = ending(reply, error)
    return kind, orjson.dumps(data)


def ending(reply: Message, error: HutongError | None = None) -> tuple[str, dict[str, Any]]:
    """How a reply ended.

    Args:
        reply: its row; not streaming.
        error: what broke it; made from the row's code where it is not known any more.
    """
    if reply.status in {MessageStatus.COMPLETE, MessageStatus.STOPPED}:
        return DONE, {"message": _bounded(reply)}
    return ERROR, {"error": said(error or error_of(reply)), "message": _bounded(reply)}


def said(error: HutongError) -> dict[str, Any]:
    """An error as clients see it."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        told["details"] = error.details
    if error.retry_after is not None:
        told["retry_after"] = round(error.retry_after, 3)
    return told


def error_of(reply: Message) -> HutongError:
    """The error that a reply ended with, from its code."""
    fallback = ReplyFailed if reply.status is MessageStatus.FAILED else ReplyInterrupted
    found = next((one for one in error_classes() if one.__dict__.get("code") == reply.error), fallback)
    try:
        return found()
    except TypeError:  # one that cannot be made without knowing more
        return fallback()


def read(entries: Sequence[Entry]) -> list[ReplyEvent]:
    """Entries of a log as events; deltas that follow each other become one, which bears the last one's number."""
    events: list[ReplyEvent] = []
    texts: list[bytes] = []
    for place, entry in enumerate(entries):
        if entry.kind != DELTA:
            events.append(ReplyEvent(entry.seq, entry.kind, orjson.loads(entry.payload), last=entry.last))
            continue
        texts.append(entry.payload)
        if place + 1 == len(entries) or entries[place + 1].kind != DELTA:
            events.append(ReplyEvent(entry.seq, DELTA, {"text": b"".join(texts).decode()}, last=entry.last))
            texts.clear()
    return events


def _bounded(message: Message) -> dict[str, Any]:
    """A message whose text is left out (None) if it is too long for an event."""
    view = dict(message_view(message))
    if len(message.content) * 4 > LARGEST_MESSAGE and len(message.content.encode()) > LARGEST_MESSAGE:
        view["content"] = None
    return view
