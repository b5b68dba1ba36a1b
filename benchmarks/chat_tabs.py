"""A delta reaches three tabs on two processes: latency with the 10 ms in which deltas are collected, and without.

A writer here adds deltas at the pace of a fast model; two tabs read beside it, one on another process. Each delta carries the
moment of its birth, read from the machine's monotonic clock, which all processes share. CPU is that of both processes.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import orjson
import psutil

from benchmarks.measure import Finding, Stopwatch, percentile
from hutong.kernel.realtime import StreamLogs
from hutong.kernel.realtime.limits import LogLimits
from hutong.kernel.store import Store
from support.servers import redis

PER_SECOND = 200.0
STREAMS = 10


async def run(*, quick: bool) -> list[Finding]:
    """Both ways after each other, the same deltas at the same pace."""
    count = 200 if quick else 1000
    with redis() as server:
        await _measured(server.url, 0.01, 50)
        collected = await _measured(server.url, 0.01, count)
        alone = await _measured(server.url, 0.0, count)
    p95, bare = (percentile(found[0], 0.95) * 1000 for found in (collected, alone))
    return [
        Finding(
            f"p95 of the way of a delta to three tabs, {STREAMS} streams of {PER_SECOND:.0f} deltas a second",
            f"{p95:.1f} ms, {collected[1]:.0f} µs CPU a delta",
            f"not collected: {bare:.1f} ms, {alone[1]:.0f} µs CPU a delta",
            p95,
            "ms",
            better="less",
        )
    ]


async def _measured(url: str, coalesce: float, count: int) -> tuple[list[float], float]:
    """Seconds from birth to each tab, and CPU microseconds a delta."""
    async with AsyncExitStack() as stack:
        names = [f"{int(coalesce * 1000)}-{count}-{number}" for number in range(STREAMS)]
        store = Store(url)
        stack.push_async_callback(store.close)
        logs = StreamLogs(store, replace(LogLimits(), coalesce_seconds=coalesce))
        stack.push_async_callback(logs.close)
        writers = [await logs.open(name) for name in names]
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.chat_tabs", url, *names, stdout=asyncio.subprocess.PIPE, limit=2**26
        )
        assert other.stdout is not None
        assert await other.stdout.readline() == b"listening\n"
        tabs = [asyncio.create_task(_tab(logs, name)) for name in names for _ in range(2)]
        watch = Stopwatch(psutil.Process(), psutil.Process(other.pid))
        for number in range(count):
            for writer in writers:
                writer.add("delta", orjson.dumps({"born": time.monotonic(), "text": f"word {number}"}))
            await asyncio.sleep(1 / PER_SECOND)
        cost = watch.cost(count * STREAMS)
        for writer in writers:
            await writer.end("done", b"{}")
        found = [seconds for tab in tabs for seconds in await tab]
        found += orjson.loads(await other.stdout.readline())
        await other.wait()
    assert len(found) == 3 * count * STREAMS
    return found, cost.cpu_micros


async def _tab(logs: StreamLogs, name: str) -> list[float]:
    """One tab: seconds that each delta took to it."""
    took = []
    async with aclosing(logs.read(name)) as entries:
        async for some in entries:
            now = time.monotonic()
            took += [now - orjson.loads(entry.payload)["born"] for entry in some if not entry.last]
    return took


async def _elsewhere(url: str, names: list[str]) -> None:
    store = Store(url)
    logs = StreamLogs(store)
    tabs = [asyncio.create_task(_tab(logs, name)) for name in names]
    await asyncio.sleep(0.5)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    found = [seconds for tab in tabs for seconds in await tab]
    sys.stdout.write(orjson.dumps(found).decode() + "\n")
    await logs.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(_elsewhere(sys.argv[1], sys.argv[2:]))
