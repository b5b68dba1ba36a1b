"""taskiq: `python taskiq_jobs.py produce|work REDIS_URL SIZE`. Streams with acknowledgement, which is its durable broker."""

import asyncio
import sys

import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

role, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
broker = RedisStreamBroker(url)
done = 0


@broker.task("bench.nothing")
async def nothing() -> None:
    """The job; says so when all are done."""
    global done  # noqa: PLW0603 - the whole state of a tiny program
    done += 1
    if done % size == 0:
        print("done", flush=True)


async def produce() -> None:
    """Send `size` jobs whenever told to, by sixteen senders."""
    await broker.startup()
    print("ready", flush=True)

    async def send() -> None:
        for _ in range(size // 16):
            await nothing.kiq()

    while await asyncio.to_thread(sys.stdin.readline):
        await asyncio.gather(*(send() for _ in range(16)))


async def work() -> None:
    """Run jobs, 64 at once as ours."""
    broker.is_worker_process = True
    await broker.startup()
    print("ready", flush=True)
    await run_receiver_task(broker, max_async_tasks=64)


uvloop.run(produce() if role == "produce" else work())
