"""Those in this process who read a log at present, each with what it heard and did not take yet."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hutong.kernel.realtime.entries import Entry, unpack


class Ear:
    """What one reader has heard. One that is too slow forgets everything and is `behind`: it has to read the store.

    Args:
        most_bytes: that wait at most.
    """

    __slots__ = ("_heard", "_most_bytes", "_size", "_wake", "behind", "quiet_since")

    def __init__(self, most_bytes: int, now: float) -> None:
        self._most_bytes = most_bytes
        self._heard: list[Entry] = []
        self._size = 0
        self._wake = asyncio.Event()
        self.behind = False
        self.quiet_since = now

    def hear(self, entries: Sequence[Entry], now: float) -> None:
        """Entries of the log; none: there are some, but they have to be fetched."""
        self.quiet_since = now
        if self.behind:
            return
        self._size += sum(entry.size for entry in entries)
        if not entries or self._size > self._most_bytes:
            self.fall_behind()
            return
        self._heard += entries
        self._wake.set()

    def fall_behind(self) -> None:
        """Something was missed, or may have been."""
        self.behind = True
        self._heard, self._size = [], 0
        self._wake.set()

    def take(self) -> list[Entry]:
        """What was heard since the last time."""
        heard, self._heard, self._size = self._heard, [], 0
        self._wake.clear()
        return heard

    async def wait(self) -> None:
        """Until there is something to take, or the ear is behind."""
        await self._wake.wait()


class Ears:
    """All ears of this process, by the log they hear."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._by_log: dict[str, set[Ear]] = {}

    @contextmanager
    def listening(self, stream_id: str, now: float) -> Iterator[Ear]:
        """An ear at a log, for a while."""
        ear = Ear(self._most_bytes, now)
        self._by_log.setdefault(stream_id, set()).add(ear)
        try:
            yield ear
        finally:
            ears = self._by_log[stream_id]
            ears.discard(ear)
            if not ears:
                del self._by_log[stream_id]

    def at(self, stream_id: str) -> Sequence[Ear]:
        """The ears at a log."""
        return tuple(self._by_log.get(stream_id, ()))

    def deliver(self, stream_id: str, entries: Sequence[Entry], now: float) -> None:
        """Let all ears at a log hear entries."""
        for ear in self.at(stream_id):
            ear.hear(entries, now)

    def rouse(self, now: float, silence: float) -> None:
        """Let those look for themselves that have heard nothing for long: a message may have been lost."""
        for ears in tuple(self._by_log.values()):
            for ear in ears:
                if now - ear.quiet_since >= silence:
                    ear.quiet_since = now
                    ear.fall_behind()

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(ears) for ears in self._by_log.values())


class Channel:
    """The ears of this process at one log that another process writes, as the store's listener."""

    def __init__(self, ears: Ears, stream_id: str) -> None:
        self._ears, self._stream_id = ears, stream_id
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        """See `Listener`."""
        for ear in self._ears.at(self._stream_id):
            ear.fall_behind()

    def hear(self, message: bytes) -> None:
        """See `Listener`."""
        try:
            entries = unpack(message) if message else []
        except ValueError:  # from a newer version of this platform, perhaps
            entries = []
        self._ears.deliver(self._stream_id, entries, self._loop.time())
