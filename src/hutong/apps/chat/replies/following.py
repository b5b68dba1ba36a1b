"""Hearing a reply from any process: from its log where there is one, else from its row, so that everybody hears an end."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from hutong.apps.chat.replies.errors import NotAReply
from hutong.apps.chat.replies.events import ReplyEvent, ending, read
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.errors import MessageUnknown
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.kernel.db import Database
from hutong.kernel.realtime import StreamAbandoned, StreamGone, StreamLogs
from hutong.kernel.store import StoreUnavailable

LOOK_SECONDS = 0.3
"""Between two looks at the row, while there is no log to follow."""


def stream_id(user_id: int, message_id: str) -> str:
    """Name of a reply's log. Message ids are unique within a user only."""
    return f"chat-{user_id}-{message_id}"


class Following:
    """Replies, as those hear them who want to.

    Args:
        db: has the rows.
        logs: of what is being generated, or was within the last hour.
    """

    def __init__(self, db: Database, logs: StreamLogs) -> None:
        self._db, self._logs = db, logs

    async def get(self, user_id: int, message_id: str) -> Message:
        """The user's reply.

        Raises:
            MessageUnknown, NotAReply.
        """
        found = await self._db.read(messages.find_message, user_id, message_id)
        if found is None:
            raise MessageUnknown
        if found.role is not MessageRole.ASSISTANT:
            raise NotAReply
        return found

    async def events(self, user_id: int, message_id: str, after: int = 0) -> AsyncIterator[Sequence[ReplyEvent]]:
        """What happens to a reply behind the log's entry `after`, some at a time; the last one is `done` or `error`.

        Whoever asks has made sure that the reply is the user's (`get`). Without a log, or with one that its writer left,
        the row tells: the whole text comes with the last event, so nothing is lost but the liveliness.
        """
        log = stream_id(user_id, message_id)
        while True:
            try:
                async for entries in self._logs.read(log, after):
                    after = entries[-1].seq
                    yield read(entries)
                    if entries[-1].last:
                        return
            except (StreamGone, StreamAbandoned, StoreUnavailable):
                pass
            last = await self._told_by_row(user_id, message_id)
            if last is not None:
                yield [last]
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def ended(self, user_id: int, message_id: str) -> Message:
        """The reply once it has ended.

        Raises:
            MessageUnknown: it was deleted meanwhile.
        """
        async for _ in self.events(user_id, message_id):
            pass
        return await self.get(user_id, message_id)

    async def _told_by_row(self, user_id: int, message_id: str) -> ReplyEvent | None:
        """How the reply ended, if it has."""
        try:
            reply = await self.get(user_id, message_id)
        except MessageUnknown as error:
            return ReplyEvent(0, "error", {"error": {"code": error.code, "message": error.message}}, last=True)
        if reply.status is MessageStatus.STREAMING:
            return None
        kind, data = ending(reply)
        return ReplyEvent(0, kind, data, last=True)
