"""Readers of stream logs in tests: what each heard, and how it ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hutong.kernel.realtime import Entry, StreamLogs
from hutong.kernel.realtime.limits import LogLimits
from hutong.kernel.store import Store

HASTY = LogLimits(lease_seconds=1.0, renew_seconds=0.3, grace_seconds=0.6, silence_seconds=0.5)


@asynccontextmanager
async def logs_at(url: str, limits: LogLimits = HASTY) -> AsyncIterator[StreamLogs]:
    """The logs of one more process, with a store connection of its own."""
    store = Store(url)
    logs = StreamLogs(store, limits)
    try:
        yield logs
    finally:
        await logs.close()
        await store.close()


async def becomes(check: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until `check` says yes."""
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


class Reader:
    """Somebody who reads a log in a task, from `after` on."""

    def __init__(self, logs: StreamLogs, stream_id: str, after: int = 0) -> None:
        self.after = after
        self.entries: list[Entry] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.task = asyncio.create_task(self._read(logs, stream_id))

    async def _read(self, logs: StreamLogs, stream_id: str) -> None:
        async with contextlib.aclosing(logs.read(stream_id, self.after)) as coming:
            async for some in coming:
                self.entries += some
                await self.gate.wait()

    async def whole(self, seconds: float = 20.0) -> list[Entry]:
        """All entries, once the log has ended; raises what ended it otherwise."""
        async with asyncio.timeout(seconds):
            await self.task
        return self.entries

    @property
    def numbers(self) -> list[int]:
        """The numbers of what was read."""
        return [entry.seq for entry in self.entries]
