"""arq: `python arq_jobs.py produce|work REDIS_URL SIZE`. Looks for jobs each 10 ms instead of each 500, keeps no results."""

import asyncio
import sys
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

role, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
done = 0


async def nothing(_: dict[str, Any]) -> None:
    """The job; says so when all are done."""
    global done  # noqa: PLW0603 - the whole state of a tiny program
    done += 1
    if done % size == 0:
        print("done", flush=True)


async def produce() -> None:
    """Send `size` jobs whenever told to, by sixteen senders."""
    pool = await create_pool(RedisSettings.from_dsn(url))
    print("ready", flush=True)

    async def send() -> None:
        for _ in range(size // 16):
            await pool.enqueue_job("nothing")

    while await asyncio.to_thread(sys.stdin.readline):
        await asyncio.gather(*(send() for _ in range(16)))


async def work() -> None:
    """Run jobs, 64 at once as ours."""
    settings = RedisSettings.from_dsn(url)
    worker = Worker([nothing], redis_settings=settings, max_jobs=64, poll_delay=0.01, keep_result=0)
    print("ready", flush=True)
    await worker.async_run()


uvloop.run(produce() if role == "produce" else work())
