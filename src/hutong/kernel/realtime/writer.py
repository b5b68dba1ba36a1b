"""The writer of one log: entries are added at once, and leave together a moment later.

`add` never waits. The newest entries are held after they were sent: a store that comes back from a restart without the last
second, or empty, gets them again. Source: docs/decisions/0028-stream-logs.md.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Self

import hiredis

from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kernel.realtime.ears import Ears
from hutong.kernel.realtime.entries import Entry, pack
from hutong.kernel.realtime.limits import LogLimits
from hutong.kernel.realtime.scripts import ABANDONED, APPEND, GONE, RELEASE
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kit.tasks import end

STORED, DIFFERS, TAKEN = 1, 0, -1
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
_log = logger("realtime.writer")


class StreamWriter:
    """The one writer of a log, from `StreamLogs.open`. Readers in this process hear it without the store.

    Args:
        stream_id: of the log.
        keys: of the log in the store, in the order that the scripts want.
        channel: on which readers elsewhere hear of new entries.
        store: keeps the log.
        ears: the readers of this process.
        limits: times and sizes.
        closed: called when nothing more comes from this writer.
    """

    def __init__(
        self,
        stream_id: str,
        keys: Sequence[str],
        channel: str,
        store: Store,
        ears: Ears,
        limits: LogLimits,
        closed: Callable[["StreamWriter"], None],
    ) -> None:
        self.stream_id, self.token = stream_id, secrets.token_hex(16)
        self.stop_requested = asyncio.Event()
        self.ended = False  # nothing is added any more,
        self.whole = False  # and the last entry was the end
        self.closed = False  # nothing more leaves: it is stored, or was given up
        self.gone = False  # the store lost what is not held here any more, or the log became somebody else's
        self._keys, self._channel, self._store, self._ears, self._limits = keys, channel, store, ears, limits
        self._on_closed = closed
        self._loop = asyncio.get_running_loop()
        self._held: list[Entry] = []
        self._held_bytes = 0
        self._newest = 0  # number of the last entry that was added,
        self._shown = 0  # that left for the readers of this process and may leave for the store,
        self.stored = 0  # and that the store has, as far as is known
        self._leave_at = 0.0
        self._contact = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    # -- what its owner does -----------------------------------------------------------------------------------------------

    def add(self, kind: str, payload: bytes) -> int:
        """Add an entry; it leaves within 10 ms, with what is added meanwhile. Returns its number.

        Raises:
            ValueError: the log has ended, or the entry is larger than 1 MiB.
        """
        return self._add(kind, payload, last=False)

    async def end(self, kind: str, payload: bytes) -> bool:
        """Add the last entry; the log is kept for an hour from now.

        Returns whether the store has the whole log. If it is away for longer than five seconds, it does not: readers in
        this process still get the end, others find the log abandoned and have to load what the database knows.

        Raises:
            ValueError: the log has ended before.
        """
        self._add(kind, payload, last=True)
        self.ended = self.whole = True
        self._leave()
        try:
            async with asyncio.timeout(self._limits.end_seconds):
                while self._sending is not None:
                    await asyncio.shield(self._sending)
        except TimeoutError:
            _log.warning("the end of a log did not reach the store", stream=self.stream_id)
        await self._close()
        return not self.gone and self.stored == self._newest

    async def abandon(self) -> None:
        """Give up without an end: readers get `StreamAbandoned` at once. Nothing happens after `end`."""
        if self.closed:
            return
        self.ended = True
        self._leave()
        await self._close()
        await self._release(ABANDONED)
        self._ears.deliver(self.stream_id, (), self._loop.time())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.abandon()

    # -- what the process's readers and its keeper ask ---------------------------------------------------------------------

    def since(self, after: int) -> Sequence[Entry] | None:
        """The entries behind `after` that have left; None if the first of them is not held any more."""
        if not self._held:
            return ()
        first = self._held[0].seq
        return None if after < first - 1 else self._held[max(0, after - first + 1) : self._shown - first + 1]

    def renew(self, now: float) -> None:
        """Give a sign of life if the store has not heard from this writer for a while."""
        if now - self._contact >= self._limits.renew_seconds:
            self._send_soon()

    def request_stop(self) -> None:
        """Set `stop_requested`."""
        self.stop_requested.set()

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _add(self, kind: str, payload: bytes, *, last: bool) -> int:
        if self.ended:
            raise ValueError(f"the log {self.stream_id} has ended")
        if len(payload) > self._limits.entry_bytes or len(kind) > 64:
            raise ValueError(f"an entry of {len(payload)} bytes")
        self._newest += 1
        entry = Entry(self._newest, kind, payload, last)
        self._held.append(entry)
        self._held_bytes += entry.size
        if self._held_bytes > self._limits.held_bytes:
            self._let_go()
        if self._timer is None:
            self._timer = self._loop.call_at(max(self._leave_at, self._loop.time()), self._leave)
        return self._newest

    def _let_go(self) -> None:
        """Forget the oldest entries: half of what may be held, so that this is seldom done."""
        count = size = 0
        while self._held_bytes - size > self._limits.held_bytes // 2 and count < len(self._held) - 1:
            size += self._held[count].size
            count += 1
        del self._held[:count]
        self._held_bytes -= size

    def _leave(self) -> None:
        """What was added leaves: at once for the readers of this process, and for the store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._leave_at = self._loop.time() + self._limits.coalesce_seconds
        fresh = self._held[self._shown - self._newest :] if self._shown < self._newest else ()
        self._shown = self._newest
        if fresh:
            self._ears.deliver(self.stream_id, fresh, self._loop.time())
        self._send_soon()

    def _send_soon(self) -> None:
        if self._sending is None and not self.gone and not self.closed:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """Bring the store up to what left, and note in the same moment that nothing is being sent any more."""
        try:
            await self._bring_up()
        except Exception as error:
            _log.exception("a log cannot be written", stream=self.stream_id, error=repr(error))
            self.gone = True
        finally:
            self._sending = None

    async def _bring_up(self) -> None:
        """Send once even if there is nothing, as a sign of life."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._send_batch()
                pause = FIRST_PAUSE
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            if self.gone or self.stored >= self._shown:
                return

    async def _send_batch(self) -> None:
        batch = self._batch()
        ends = bool(batch) and batch[-1].last
        args = (
            self.token,
            int(self._limits.lease_seconds * 1000),
            int(self._limits.keep_seconds * 1000),
            self.stored,
            batch[-1].seq if batch else 0,
            pack(batch) if batch else b"",
            int(ends),
            self._channel,
            self._limits.batch_bytes,
        )
        outcome, stored, stop = await self._store.run(APPEND, self._keys, args)
        self._contact = self._loop.time()
        if stop:
            self.request_stop()
        if outcome == STORED:
            self.stored = stored
        elif outcome == DIFFERS:
            await self._resume(stored)
        else:
            self._taken()

    def _batch(self) -> Sequence[Entry]:
        """What the store does not have yet, as much as leaves together."""
        if self.stored >= self._shown or not self._held:
            return ()
        first = self._held[0].seq
        begin = self.stored + 1 - first
        end, size = begin, 0
        while end < len(self._held) and self._held[end].seq <= self._shown:
            size += self._held[end].size
            if end > begin and size > self._limits.batch_bytes:
                break
            end += 1
        return self._held[begin:end]

    async def _resume(self, stored: int) -> None:
        """The store has something else than was believed: more, when an answer was lost; less, when it lost entries."""
        if stored < self.stored:
            metrics.stream_losses.labels("sent_again").inc()
        self.stored = stored
        if stored > self._shown or (self._held and stored < self._held[0].seq - 1):
            _log.warning("the store lost more of a log than is held here", stream=self.stream_id, stored=stored)
            metrics.stream_losses.labels("gone").inc()
            self.gone = True
            await self._release(GONE)

    def _taken(self) -> None:
        """The log has ended, which we may not have heard, or it is somebody else's."""
        if self.ended and self.stored + len(self._batch()) == self._newest:
            self.stored = self._newest
            return
        _log.warning("a log was taken by another writer", stream=self.stream_id)
        metrics.stream_losses.labels("taken").inc()
        self.gone = True

    async def _release(self, fate: bytes) -> None:
        keep = int(self._limits.keep_seconds * 1000)
        try:
            await self._store.run(RELEASE, self._keys, (self.token, fate, keep, self._channel))
        except (StoreUnavailable, hiredis.ReplyError):
            return  # the lease runs out by itself

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.closed = True
        await end(self._sending)
        self._on_closed(self)
