"""The doorbell: a Redis stream that tells workers which job ids are due, so that none has to poll for them.

It may lose anything: the sweep finds in SQL what was not rung. Source: DESIGN §2.4, §2.13.
"""

import asyncio

from hutong.kernel.observability.logs import logger
from hutong.kernel.store import Store, StoreUnavailable

STREAM = "{hutong:jobs}:bell"
GROUP = "workers"
FIELD = "id"
_log = logger("jobs.bell")


class Bell:
    """Rings for jobs from the process that enqueued them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ringing: set[asyncio.Task[None]] = set()

    def ring(self, job_id: int) -> None:
        """Tell the fleet that a job is due; does not wait, never raises."""
        task = asyncio.ensure_future(self._ring(job_id))
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    async def _ring(self, job_id: int) -> None:
        try:
            await self._store.append(STREAM, {FIELD: str(job_id)})
        except StoreUnavailable:
            _log.debug("the bell is broken; the sweep will find the job", job=job_id)

    async def listen(self, consumer: str, count: int, block_ms: int) -> tuple[list[int], list[bytes]]:
        """Job ids that rang, at most `count`, and the stream entries to `acknowledge` once they are dealt with."""
        entries = await self._store.read_group(STREAM, GROUP, consumer, count=count, block_ms=block_ms)
        return [int(fields[FIELD.encode()]) for _, fields in entries], [entry for entry, _ in entries]

    async def acknowledge(self, entries: list[bytes]) -> None:
        await self._store.finish(STREAM, GROUP, entries)

    async def forget_stale(self, idle_ms: int = 60_000) -> None:
        """Drop entries that a dead worker read but did not acknowledge; the sweep has its jobs already."""
        cursor = b"0-0"
        while True:
            reply = await self._store.call(
                "XAUTOCLAIM", STREAM, GROUP, "janitor", idle_ms, cursor, "COUNT", 100, "JUSTID"
            )
            await self.acknowledge(list(reply[1]))
            cursor = reply[0]
            if cursor == b"0-0":
                return
