"""The sweep: replies whose process died are ended as interrupted, with what was generated, and paid for once.

A running reply's process prolongs its reservation; one that expired is nobody's. The log in the store has more of the text
than the row, by up to a checkpoint. Source: contracts/chat.md "Rules"; reference/chat.md §6.2 (2, 4, 6).
"""

import asyncio
from collections.abc import Sequence

from hutong.apps.chat.replies import planning, rules
from hutong.apps.chat.replies.events import DELTA
from hutong.apps.chat.replies.following import stream_id
from hutong.apps.chat.replies.opening import KIND, Ending, Ends
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.messages import Message, Reserved
from hutong.apps.chat.rows.tables import MessageStatus
from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.gateway import tokens
from hutong.kernel.gateway.chat import Receipt, Usage
from hutong.kernel.gateway.errors import ProviderFailed
from hutong.kernel.gateway.models import Facts
from hutong.kernel.jobs import Job, Retry, Schedule, Task
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import ExpiredReservation, Quotas
from hutong.kernel.realtime import StreamAbandoned, StreamGone
from hutong.kernel.store import StoreUnavailable
from hutong.kit.errors import HutongError

SWEEP = "chat.replies.sweep"
AT_ONCE = 100
LOG_SECONDS = 1.0
"""How long the sweep reads a log that nobody ends."""
LASTING = Retry(attempts=20, first=1.0, longest=60.0)
UNKNOWN = Facts(window=100_000_000)
"""Of a model that is not in the list any more: nothing is cut, nothing has a price."""
_log = logger("chat.replies")


class Sweep:
    """Ends what dead processes left.

    Args:
        kernel: database, logs, models.
        quotas: list what expired.
        settings: the prompt that was read with each question.
        ends: ends replies in a transaction.
    """

    def __init__(self, kernel: Kernel, quotas: Quotas, settings: ReplySettings, ends: Ends) -> None:
        self._kernel, self._quotas, self._settings, self._ends = kernel, quotas, settings, ends

    def work(self) -> Work:
        """The job and its schedule."""
        task = Task(SWEEP, self.sweep, LASTING, timeout=300.0)
        return Work(tasks=[task], schedules=[Schedule(SWEEP, every=self._settings.sweep_seconds)])

    async def sweep(self, job: Job) -> None:
        """End every reply whose reservation expired."""
        late: Sequence[ExpiredReservation] = await self._kernel.db.read(self._quotas.expired, AT_ONCE, KIND)
        for reservation in late:
            try:
                await self._end(reservation)
            except HutongError as error:  # one that cannot be ended now must not keep the others open
                _log.warning("a reply cannot be ended", reservation=reservation.id, code=error.code)

    async def _end(self, reservation: ExpiredReservation) -> None:
        found = await self._kernel.db.read(messages.find_reserved, reservation.id)
        if found is None or found.message.status is not MessageStatus.STREAMING:  # deleted, with whatever it had said
            await self._kernel.db.write(self._quotas.release, reservation.id)
            return
        text = await self._said(found)
        ending = Ending(rules.Cause.LOST, text, await self._receipt(found, text), error="chat.reply_interrupted")
        failpoint("chat.sweep.read")
        now = self._kernel.clock.now()
        await self._kernel.db.write(self._ends.finish, found.user_id, found.message, reservation.id, ending, now)
        _log.warning("a reply was left by its process", message_id=found.message.id, characters=len(text))

    async def _said(self, found: Reserved) -> str:
        """What was generated, as far as the log or the row knows it."""
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(LOG_SECONDS):
                async for entries in self._kernel.streams.read(stream_id(found.user_id, found.message.id)):
                    parts += [entry.payload for entry in entries if entry.kind == DELTA]
        except (TimeoutError, StreamGone, StreamAbandoned, StoreUnavailable):
            pass
        logged = b"".join(parts).decode()
        return max(logged, found.message.content, key=len)

    async def _receipt(self, found: Reserved, text: str) -> Receipt | None:
        """What it took by our own count; None if nothing was said, for then it costs nothing."""
        if not text:
            return None
        reply = found.message
        facts = self._facts(reply)
        body = await self._asked(found, facts)
        usage = Usage(await tokens.count_request(body), await tokens.count(text), counted_here=True)
        return Receipt("", "", usage, facts.cost(usage), "", 0.0, 0.0)

    async def _asked(self, found: Reserved, facts: Facts) -> dict[str, object]:
        """The request, as far as it can be told from the rows."""
        reply = found.message
        parent = str(reply.parent_id)
        branch: Sequence[Message] = await self._kernel.db.read(
            messages.history, found.user_id, reply.conversation_id, parent
        )
        context = await planning.choose(rules.turns_of(branch), facts, None, self._settings)
        return {"messages": context.messages}

    def _facts(self, reply: Message) -> Facts:
        try:
            return self._kernel.gateway.chats.model(str(reply.model), vip=True).facts
        except ProviderFailed:
            return UNKNOWN
