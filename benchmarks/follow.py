"""One worker follows 5,000 remote generations at the usual 15 seconds between two looks, on PostgreSQL and Redis."""

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from rich.progress import Progress
from sqlalchemy import Connection, text

from benchmarks import servers
from benchmarks.measure import Cost, Finding, Stopwatch
from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.host.wiring import SANDBOX_PATH
from hutong.kernel.db import Database, open_database
from support.http import Client, http_client
from support.installation import portrait
from support.servers import postgres, redis
from support.stand import Phone, until

POLL_SECONDS = 15.0
PER_USER = 100
LATE = text(
    "SELECT COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - MIN(run_at)), 0) FROM jobs"
    " WHERE task = 'emoji.generation.poll' AND state = 'queued' AND run_at <= clock_timestamp()"
)
FOLLOWED = text("SELECT COUNT(*) FROM emoji_tasks WHERE stage = 'generating'")


async def run(*, quick: bool) -> list[Finding]:
    """Tasks are created through the API and submitted to the sandbox, where they hang; then polling is watched."""
    size, seconds = (200, POLL_SECONDS) if quick else (5_000, 3 * POLL_SECONDS)
    with postgres() as database, redis() as store, tempfile.TemporaryDirectory() as folder:
        url, port = database.create_database("follow"), servers.port()
        settings = load_settings(env="test", data=Path(folder), database_url=url)
        await asyncio.to_thread(migrations.upgrade, settings)
        environment = _environment(folder, url, store.url, f"http://127.0.0.1:{port}", size)
        db = open_database(settings)
        async with (
            servers.process(["-m", "hutong", "serve", "--port", str(port)], environment),
            servers.process(["-m", "hutong", "worker"], environment) as worker,
        ):
            await servers.answering(f"http://127.0.0.1:{port}/readyz")
            try:
                return [await _watched(db, worker, f"http://127.0.0.1:{port}", size, seconds)]
            finally:
                await db.close()


def _environment(folder: str, url: str, store: str, base: str, size: int) -> dict[str, str]:
    names = ("SUBMIT_PER_SECOND", "DETECT_PER_SECOND", "QUERY_PER_SECOND")
    return {
        "HUTONG_ENV": "test",
        "HUTONG_DATA": folder,
        "HUTONG_DATABASE_URL": url,
        "HUTONG_STORE_URL": store,
        "HUTONG_PUBLIC_URL": base,
        "HUTONG_LOG__LEVEL": "warning",
        "HUTONG_LIMITS__ENABLED": "false",
        "HUTONG_EMOJI__POLL_SECONDS": str(POLL_SECONDS),
        "HUTONG_DASHSCOPE__IN_FLIGHT": str(size),
        **{f"HUTONG_{part}__{name}": "1000" for part in ("SANDBOX", "DASHSCOPE") for name in names},
    }


async def _watched(db: Database, worker: psutil.Process, base: str, size: int, seconds: float) -> Finding:
    async with http_client(60) as client:
        async with client.post(f"{base}{SANDBOX_PATH}/control/hang", data={"times": ""}) as answer:
            assert answer.status == 200, await answer.text()
        await _create(client, db, base, size)
        before, watch = await _queries(client, base), Stopwatch(worker)
        late = []
        for _ in range(int(seconds)):
            await asyncio.sleep(1)
            late.append(float(await db.read(_scalar, LATE)))
        asked = await _queries(client, base) - before
        cost: Cost = watch.cost(max(asked, 1))
    wanted = size / POLL_SECONDS
    return Finding(
        f"one worker follows {size:,} remote tasks",
        f"{cost.per_second:.0f} looks/s, {cost.cpu / cost.wall:.0%} of a core, latest {max(late):.1f} s late"
        f" (median {statistics.median(late):.2f} s)",
        f"due: {wanted:.0f} looks/s",
        cost.per_second / wanted,
        goal=0.95,
    )


async def _create(client: Client, db: Database, base: str, size: int) -> None:
    """Users with enough points, each with tasks of one picture, all the way to the provider."""
    with Progress(transient=True) as progress:
        bar = progress.add_task("creating and submitting", total=size)
        created = 0
        while created < size:
            phone = await Phone(client, base).login(f"bench-device-{created:06d}")
            await db.write(_enrich, int(phone.user["id"]))
            image_url = await phone.uploaded(portrait(created))
            count = min(PER_USER, size - created)
            for start in range(0, count, 10):
                replies = await asyncio.gather(*(phone.create(image_url) for _ in range(min(10, count - start))))
                assert all(reply.code == 0 for reply in replies), replies[0].body
                created += len(replies)
                progress.update(bar, completed=created / 2)

        async def submitted() -> bool:
            followed = int(await db.read(_scalar, FOLLOWED))
            progress.update(bar, completed=size / 2 + followed / 2)
            await asyncio.sleep(0.5)
            return followed == size

        await until(submitted, 900)


def _enrich(conn: Connection, user_id: int) -> None:
    conn.execute(text("UPDATE credit_accounts SET balance = balance + 100000 WHERE account_id = :id"), {"id": user_id})


def _scalar(conn: Connection, statement: Any) -> Any:
    return conn.execute(statement).scalar_one()


async def _queries(client: Client, base: str) -> int:
    async with client.get(f"{base}{SANDBOX_PATH}/control/state") as answer:
        return int((await answer.json())["totals"]["queries"])
