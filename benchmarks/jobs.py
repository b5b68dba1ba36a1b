"""A no-op job from its business transaction through outbox and stream to done, in CPU time of producer and worker."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.measure import Cost, Finding, Stopwatch, median
from hutong.host import migrations
from hutong.host.settings import Settings, load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.jobs import Bell, Job, Jobs, LeasedIds, Task, Worker
from hutong.kernel.store import Store
from hutong.kit.clock import SystemClock
from support.servers import mariadb, postgres, redis

PRODUCERS = 16
GOAL_MICROS = 900


async def run(*, quick: bool) -> list[Finding]:
    """Every database, each with a Redis."""
    size, rounds = (320, 1) if quick else (3_200, 5)
    with redis() as store, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        sqlite = load_settings(env="test", data=Path(folder), database_url=f"sqlite:///{path}", store_url=store.url)
        found = [await _measured("SQLite", sqlite, size, rounds)]
        for start in (postgres, mariadb):
            with start() as server:
                url = server.create_database("jobs")
                settings = load_settings(env="test", data=Path(folder), database_url=url, store_url=store.url)
                found.append(await _measured(server.name, settings, size, rounds))
        return found


async def _measured(name: str, settings: Settings, size: int, rounds: int) -> Finding:
    await asyncio.to_thread(migrations.upgrade, settings)
    async with _shop(settings) as (db, jobs, worker, done):
        running = asyncio.create_task(worker.run())
        costs = [await _round(db, jobs, done, size) for _ in range(rounds)]
        worker.stop()
        await running
    micros = median(costs, lambda cost: cost.cpu_micros)
    rate = median(costs, lambda cost: cost.per_second)
    what = f"a no-op job on {name}, each in its own transaction"
    return Finding(what, f"{rate:,.0f} jobs/s", "", micros, "µs CPU", GOAL_MICROS, "less")


@asynccontextmanager
async def _shop(settings: Settings) -> AsyncIterator[tuple[Database, Jobs, Worker, asyncio.Queue[int]]]:
    db, store, clock = open_database(settings), Store(settings.store_url), SystemClock()
    ids = LeasedIds(db, clock)
    await ids.start()
    done: asyncio.Queue[int] = asyncio.Queue()

    async def nothing(job: Job) -> None:
        done.put_nowait(job.id)

    bell = Bell(store)
    jobs = Jobs(ids, clock, bell)
    worker = Worker(db, bell, jobs, clock, [Task("bench.nothing", nothing)], [], settings.jobs)
    try:
        yield db, jobs, worker, done
    finally:
        await ids.stop()
        await store.close()
        await db.close()


async def _round(db: Database, jobs: Jobs, done: "asyncio.Queue[int]", size: int) -> Cost:
    watch = Stopwatch()

    async def producer() -> None:
        for _ in range(size // PRODUCERS):
            await db.write(jobs.enqueue, "bench.nothing", {})

    await asyncio.gather(*(producer() for _ in range(PRODUCERS)))
    for _ in range(size):
        await done.get()
    return watch.cost(size)
