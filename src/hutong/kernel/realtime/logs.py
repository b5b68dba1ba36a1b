"""Logs of running streams: written once, read by anybody, from any process, from any entry on.

One log for each reply. The writer's entries go to the store, and on a channel to the other processes; a reader replays what is
there and follows. Every entry has the writer's number, so a reader notices what is missing and fetches it, and drops what
comes twice. Source: docs/kernel/realtime.md; docs/decisions/0028-stream-logs.md; reference/chat.md §3.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence

from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kernel.realtime.ears import Channel, Ears
from hutong.kernel.realtime.entries import Entry
from hutong.kernel.realtime.errors import StreamTaken
from hutong.kernel.realtime.limits import LogLimits
from hutong.kernel.realtime.reading import Reading
from hutong.kernel.realtime.scripts import OPEN, STOP
from hutong.kernel.realtime.writer import StreamWriter
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kit.tasks import end

STOPS = "hutong:log:stops"
TICK_SECONDS = 0.5
STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_log = logger("realtime.logs")


class StreamLogs:
    """The logs of one process: its writers and its readers.

    Args:
        store: keeps the logs and carries what is new.
        limits: times and sizes; tests have shorter ones.
    """

    def __init__(self, store: Store, limits: LogLimits | None = None) -> None:
        self._store, self._limits = store, limits or LogLimits()
        self._writers: dict[str, StreamWriter] = {}
        self._ears = Ears(self._limits.heard_bytes)
        self._channels: dict[str, tuple[Channel, int]] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._hears_stops = False

    async def open(self, stream_id: str) -> StreamWriter:
        """Begin a log, which nobody has written before; `end` it, or use it as a context, which abandons it on errors.

        Without a store the log begins all the same: readers in this process hear it, and the store gets it when it is back.

        Args:
            stream_id: letters, digits, `-` and `_`; never used before.

        Raises:
            StreamTaken: somebody writes it, or has.
            ValueError: no such id.
        """
        if STREAM_ID.fullmatch(stream_id) is None:
            raise ValueError(f"{stream_id!r} cannot be the id of a log")
        if stream_id in self._writers:
            raise StreamTaken
        writer = StreamWriter(
            stream_id, keys_of(stream_id), channel_of(stream_id), self._store, self._ears, self._limits, self._closed
        )
        self._writers[stream_id] = writer
        try:
            await self._take(writer)
        except BaseException:
            del self._writers[stream_id]
            raise
        metrics.streams_open.inc()
        self._wake_up()
        return writer

    async def read(self, stream_id: str, after: int = 0) -> AsyncGenerator[Sequence[Entry], None]:
        """The entries behind `after`, as they come, some at a time, until the last one; none is lost or comes twice.

        A slow caller holds up nobody: it reads the store again where it stopped.

        Raises:
            StreamGone: there is no such log (any more); the database knows what became of it.
            StreamAbandoned: its writer died or gave up.
            StoreUnavailable: the store has been away for fifteen seconds.
        """
        writer = self._writers.get(stream_id)
        now = asyncio.get_running_loop().time()
        with self._ears.listening(stream_id, now) as ear:
            if writer is None:
                self._listen(stream_id)
            else:
                ear.fall_behind()
            self._wake_up()
            try:
                reading = Reading(self._store, keys_of(stream_id), ear, writer, self._limits, after)
                while entries := await reading.more():
                    yield entries
                    if entries[-1].last:
                        return
            finally:
                if writer is None:
                    self._ignore(stream_id)

    async def request_stop(self, stream_id: str) -> bool:
        """Ask the writer of a log to stop, in whichever process it is. Returns whether somebody writes it at present.

        Asked before the log is open, the writer finds the request when it opens it, within a minute.

        Raises:
            StoreUnavailable: the writer is elsewhere, and the store away.
        """
        if (writer := self._writers.get(stream_id)) is not None:
            writer.request_stop()
            return True
        return bool(await self._store.run(STOP, keys_of(stream_id), (60_000, STOPS, stream_id)))

    async def close(self) -> None:
        """Abandon what is being written, and end."""
        await asyncio.gather(*(writer.abandon() for writer in tuple(self._writers.values())))
        ticking, self._ticking = self._ticking, None
        await end(ticking)
        if self._hears_stops:
            self._store.ignore(STOPS, self)
            self._hears_stops = False

    # -- the store's listener for stops ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """See `Listener`; a missed request is found with the next sign of life."""

    def hear(self, message: bytes) -> None:
        """See `Listener`: somebody asks the writer of a log to stop."""
        if (writer := self._writers.get(message.decode(errors="replace"))) is not None:
            writer.request_stop()

    # -- inside ------------------------------------------------------------------------------------------------------------

    async def _take(self, writer: StreamWriter) -> None:
        if not self._hears_stops:
            self._hears_stops = True
            self._store.listen(STOPS, self)
        lease = int(self._limits.lease_seconds * 1000)
        try:
            taken, stop = await self._store.run(OPEN, keys_of(writer.stream_id), (writer.token, lease))
        except StoreUnavailable:
            _log.warning("a log begins without the store", stream=writer.stream_id)
            return
        if not taken:
            raise StreamTaken
        if stop:
            writer.request_stop()

    def _closed(self, writer: StreamWriter) -> None:
        if self._writers.get(writer.stream_id) is writer:
            del self._writers[writer.stream_id]
            metrics.streams_open.dec()

    def _listen(self, stream_id: str) -> None:
        """Hear of a log that another process writes; once for all readers of this one."""
        if stream_id in self._channels:
            channel, readers = self._channels[stream_id]
            self._channels[stream_id] = channel, readers + 1
            channel.begin()
            return
        channel = Channel(self._ears, stream_id)
        self._channels[stream_id] = channel, 1
        self._store.listen(channel_of(stream_id), channel)

    def _ignore(self, stream_id: str) -> None:
        channel, readers = self._channels[stream_id]
        if readers > 1:
            self._channels[stream_id] = channel, readers - 1
            return
        del self._channels[stream_id]
        self._store.ignore(channel_of(stream_id), channel)

    def _wake_up(self) -> None:
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """Signs of life of silent writers, and a look around for readers that hear nothing, as long as there are any."""
        loop = asyncio.get_running_loop()
        while self._writers or self._ears.count:
            await asyncio.sleep(min(TICK_SECONDS, self._limits.renew_seconds / 2))
            metrics.stream_readers.set(self._ears.count)
            for writer in tuple(self._writers.values()):
                writer.renew(loop.time())
            self._ears.rouse(loop.time(), self._limits.silence_seconds)
        metrics.stream_readers.set(0)
        self._ticking = None


def keys_of(stream_id: str) -> tuple[str, str, str]:
    """The keys of a log, as the scripts want them: lease, log, stop."""
    return f"stream:{{{stream_id}}}:lease", f"stream:{{{stream_id}}}", f"stream:{{{stream_id}}}:stop"


def channel_of(stream_id: str) -> str:
    """On which new entries are heard."""
    return f"hutong:log:{stream_id}"
