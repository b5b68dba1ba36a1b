"""The same no-op job by taskiq, arq and celery on the same Redis, in CPU time of producer and worker.

Theirs live in Redis alone; ours is a row of PostgreSQL written in a business transaction, with Redis as the bell.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import jobs
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate_all, median
from benchmarks.peer_environment import PEERS, python_of, version_of
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.servers import Redis, postgres, redis

NAMES = {"taskiq": "taskiq-redis", "arq": "arq", "celery": "celery"}
READY_SECONDS, ROUND_SECONDS = 60, 120


async def run(*, quick: bool) -> list[Finding]:
    """Ours and the peers in the order A B C D D C B A …"""
    size, rounds = (320, 2) if quick else (3_200, 6)
    pythons = {name: await asyncio.to_thread(python_of, name) for name in NAMES}
    async with AsyncExitStack() as stack:
        store = stack.enter_context(redis())
        measured: dict[str, Round] = {"ours": await stack.enter_async_context(_ours(store, size))}
        for name, python in pythons.items():
            measured[name] = await stack.enter_async_context(_peer(name, python, store, size))
        for first in measured.values():
            await first()  # connections, caches
        costs = await alternate_all(measured, rounds)
    ours = costs.pop("ours")
    return [_finding(name, ours, theirs) for name, theirs in costs.items()]


def _finding(name: str, ours: list[Cost], theirs: list[Cost]) -> Finding:
    micros, other = (median(costs, lambda cost: cost.cpu_micros) for costs in (ours, theirs))
    rates = [median(costs, lambda cost: cost.per_second) for costs in (ours, theirs)]
    return Finding(
        f"a no-op job, ours on PostgreSQL, {name}'s on Redis alone",
        f"{rates[0]:,.0f}/s ({micros:.0f} µs CPU)",
        f"{version_of(name, NAMES[name])}: {rates[1]:,.0f}/s ({other:.0f} µs CPU)",
        other / micros,
    )


@asynccontextmanager
async def _ours(store: Redis, size: int) -> AsyncIterator[Round]:
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        url = server.create_database("jobs")
        settings = load_settings(env="test", data=Path(folder), database_url=url, store_url=store.url)
        await asyncio.to_thread(migrations.upgrade, settings)
        async with jobs._shop(settings) as (db, queue, worker, done):
            running = asyncio.create_task(worker.run())
            yield lambda: jobs._round(db, queue, done, size)
            worker.stop()
            await running


@dataclass
class _Program:
    """A peer's process that says what it did, one word a line."""

    process: asyncio.subprocess.Process

    async def says(self, word: str, seconds: float) -> None:
        """Wait for a line.

        Raises:
            RuntimeError: it ended instead; its own messages are on stderr.
        """
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while (line := await self.process.stdout.readline()) != f"{word}\n".encode():
                if not line:
                    raise RuntimeError(f"a peer ended before it said {word!r}")

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")


@asynccontextmanager
async def _peer(name: str, python: Path, store: Redis, size: int) -> AsyncIterator[Round]:
    async with (
        _started(name, python, "work", store, size) as worker,
        _started(name, python, "produce", store, size) as producer,
    ):
        both = [psutil.Process(program.process.pid) for program in (worker, producer)]

        async def round_() -> Cost:
            watch = Stopwatch(*both)
            producer.go()
            await worker.says("done", ROUND_SECONDS)
            return watch.cost(size)

        yield round_


@asynccontextmanager
async def _started(name: str, python: Path, role: str, store: Redis, size: int) -> AsyncIterator[_Program]:
    words = [str(PEERS / f"{name}_jobs.py"), role, store.url, str(size)]
    process = await asyncio.create_subprocess_exec(
        python, *words, cwd=store.folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    program = _Program(process)
    try:
        await program.says("ready", READY_SECONDS)
        yield program
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
