"""A worker is killed with jobs in hand: how long until another has finished them, with the lease and sweep of production."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from sqlalchemy import Connection, text

from benchmarks import servers
from benchmarks.measure import Finding, percentile
from hutong.host import migrations
from hutong.host.settings import Settings, load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.jobs import Bell, Job, Jobs, LeasedIds, Task, Worker
from hutong.kernel.store import Store
from hutong.kit.clock import SystemClock
from support.servers import postgres, redis
from support.stand import until

TASK = "bench.held"
GOAL_SECONDS = 15.0
LOOK_SECONDS = 0.02
RUNNING = text("SELECT COUNT(*) FROM jobs WHERE state = 'running'")
LEFT = text("SELECT COUNT(*) FROM jobs")


async def run(*, quick: bool) -> list[Finding]:
    """Each round: one worker holds jobs, another is up and idle, the first is killed (SIGKILL)."""
    size, rounds = (16, 1) if quick else (64, 8)
    with postgres() as server, redis() as store, tempfile.TemporaryDirectory() as folder:
        url = server.create_database("reclaim")
        settings = load_settings(env="test", data=Path(folder), database_url=url, store_url=store.url)
        await asyncio.to_thread(migrations.upgrade, settings)
        db = open_database(settings)
        try:
            took = [seconds for number in range(rounds) for seconds in await _round(db, settings, size, number)]
        finally:
            await db.close()
    lease, sweep = settings.jobs.lease_seconds, settings.jobs.sweep_seconds
    return [
        Finding(
            f"jobs of a killed worker, until another has finished them, p99 (lease {lease:g} s, sweep {sweep:g} s)",
            f"median {percentile(took, 0.5):.1f} s, latest {max(took):.1f} s, {len(took)} jobs",
            "",
            percentile(took, 0.99),
            "s",
            GOAL_SECONDS,
            "less",
        )
    ]


async def _round(db: Database, settings: Settings, size: int, number: int) -> list[float]:
    """Seconds from the kill to the end of each job; the kill falls on another moment of the lease each time."""
    async with _worker(settings, "hold") as holder:
        async with _queue(db, settings) as jobs:
            for _ in range(size):
                await db.write(jobs.enqueue, TASK, {})
        await until(lambda: _is(db, RUNNING, size), 30)
        async with _worker(settings, "finish"):
            await asyncio.sleep(number % 4 * settings.jobs.lease_seconds / 3 / 4)
            holder.kill()
            return await _ends(db, size)


async def _ends(db: Database, size: int) -> list[float]:
    begun, ends = time.perf_counter(), list[float]()
    while len(ends) < size:
        left = int(await db.read(_count, LEFT))
        now = time.perf_counter() - begun
        ends += [now] * (size - left - len(ends))
        assert now < 120, f"{left} jobs were never taken over"
        await asyncio.sleep(LOOK_SECONDS)
    return ends


async def _is(db: Database, statement: object, count: int) -> bool:
    return int(await db.read(_count, statement)) == count


def _count(conn: Connection, statement: object) -> int:
    return int(conn.execute(statement).scalar_one())  # type: ignore[call-overload]


@asynccontextmanager
async def _worker(settings: Settings, role: str) -> AsyncIterator[psutil.Process]:
    words = ["-m", "benchmarks.reclaim", role, settings.database_url, settings.store_url]
    async with servers.process(words, {}, says="ready") as process:
        yield process


@asynccontextmanager
async def _queue(db: Database, settings: Settings) -> AsyncIterator[Jobs]:
    store, clock = Store(settings.store_url), SystemClock()
    ids = LeasedIds(db, clock)
    await ids.start()
    try:
        yield Jobs(ids, clock, Bell(store))
    finally:
        await ids.stop()
        await store.close()


async def _be_worker(role: str, database_url: str, store_url: str) -> None:
    """A worker process with production's settings, whose jobs end at once or, to be killed with, never."""
    settings = load_settings(env="test", database_url=database_url, store_url=store_url)
    db, store, clock = open_database(settings), Store(store_url), SystemClock()
    ids, bell = LeasedIds(db, clock), Bell(store)
    await ids.start()

    async def held(_: Job) -> None:
        if role == "hold":
            await asyncio.Event().wait()

    jobs = Jobs(ids, clock, bell)
    worker = Worker(db, bell, jobs, clock, [Task(TASK, held)], [], settings.jobs)
    print("ready", flush=True)
    await worker.run()


if __name__ == "__main__":
    asyncio.run(_be_worker(*sys.argv[1:4]))
