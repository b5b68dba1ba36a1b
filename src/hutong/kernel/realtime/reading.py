"""One reader's way through a log: what is heard, what has to be fetched, and when to give up."""

import asyncio
from collections.abc import Sequence

from hutong.kernel.observability import metrics
from hutong.kernel.realtime.ears import Ear
from hutong.kernel.realtime.entries import Entry, unpack
from hutong.kernel.realtime.errors import StreamAbandoned, StreamGone
from hutong.kernel.realtime.limits import LogLimits
from hutong.kernel.realtime.scripts import ABANDONED, ENDED, GONE, READ
from hutong.kernel.realtime.writer import StreamWriter
from hutong.kernel.store import Store, StoreUnavailable

MOST_BATCHES = 256
RETRY_SECONDS = 0.25


class Reading:
    """Where one reader is.

    Args:
        store: keeps the log.
        keys: of the log.
        ear: what is heard of it in this process.
        writer: if it is in this process.
        limits: times and sizes.
        after: number of the last entry that the reader has.
    """

    def __init__(
        self,
        store: Store,
        keys: Sequence[str],
        ear: Ear,
        writer: StreamWriter | None,
        limits: LogLimits,
        after: int,
    ) -> None:
        self._store, self._keys, self._ear, self._writer, self._limits = store, keys, ear, writer, limits
        self._after = after
        self._loop = asyncio.get_running_loop()
        self._seen = False
        self._missing_since: float | None = None
        self._away_since: float | None = None

    async def more(self) -> Sequence[Entry]:
        """The next entries; none after the log's end. Raises as `StreamLogs.read` does."""
        while True:
            fresh = self._fresh(self._ear.take())
            if not fresh and self._ear.behind:
                self._ear.behind = False  # before the store is asked: what is missed from here on is noticed
                found = await self._fetch()
                if found is None:
                    return ()
                fresh = self._fresh(found)
            if fresh:
                self._after = fresh[-1].seq
                return fresh
            await self._ear.wait()

    def _fresh(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """What the reader does not have yet, if it goes on where the reader is; else that has to be fetched."""
        if not entries or entries[-1].seq <= self._after:
            return ()
        if entries[0].seq > self._after + 1:
            self._ear.fall_behind()
            return ()
        return entries[max(0, self._after + 1 - entries[0].seq) :]

    async def _fetch(self) -> Sequence[Entry] | None:
        """What comes behind the reader's last entry, perhaps nothing yet; None at the end of the log."""
        writer = self._writer
        if writer is None or (held := writer.since(self._after)) is None:
            return await self._fetch_stored()
        if held or not writer.closed:
            return held
        if not writer.whole:
            raise StreamAbandoned
        return None

    async def _fetch_stored(self) -> Sequence[Entry] | None:
        args = (self._after + 1, MOST_BATCHES, self._limits.batch_bytes * 4)
        try:
            owner, exists, more, batches = await self._store.run(READ, self._keys, args)
        except StoreUnavailable:
            return await self._be_patient()
        self._away_since = None
        if more:
            self._ear.fall_behind()
        entries = self._unpacked(batches)
        if not entries and not owner:
            return await self._missing(exists=bool(exists))
        self._seen, self._missing_since = True, None
        return entries or self._nothing(owner)

    def _nothing(self, owner: bytes) -> Sequence[Entry] | None:
        """There is nothing new for now, or for ever."""
        if owner == ABANDONED:
            raise StreamAbandoned
        if owner == GONE:
            raise StreamGone
        return None if owner == ENDED else ()

    def _unpacked(self, batches: Sequence[bytes]) -> Sequence[Entry]:
        try:
            entries = [entry for batch in batches for entry in unpack(batch)]
        except ValueError as error:  # of a newer version of this platform
            raise StreamGone from error
        if entries and entries[0].seq > self._after + 1:
            raise StreamGone  # its beginning is lost
        return entries

    async def _missing(self, *, exists: bool) -> Sequence[Entry]:
        """Nobody writes the log. A running reader waits a little for a store that just came back, and its writer."""
        now = self._loop.time()
        if self._missing_since is None:
            self._missing_since = now
        waited = now - self._missing_since
        if (exists or self._seen or self._writer is not None) and waited < self._limits.grace_seconds:
            self._ear.fall_behind()
            await asyncio.sleep(RETRY_SECONDS)
            return ()
        if exists:
            metrics.stream_losses.labels("abandoned").inc()
            raise StreamAbandoned
        raise StreamGone

    async def _be_patient(self) -> Sequence[Entry]:
        now = self._loop.time()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since >= self._limits.patience_seconds:
            raise StoreUnavailable("the store has been away for long", retry_after=1)
        self._ear.fall_behind()
        await asyncio.sleep(RETRY_SECONDS)
        return ()
