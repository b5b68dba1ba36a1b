"""GET /points/balance on PostgreSQL, all middleware and limits on, beside a bare Starlette hello, per CPU second."""

import asyncio
import tempfile
from pathlib import Path

import psutil

from benchmarks import servers
from benchmarks.measure import Cost, Finding, Stopwatch, alternate, median
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client
from support.servers import postgres, redis
from support.stand import Phone

BALANCE = "/emoji/api/v1/points/balance"
GOAL = 0.10
UNHURRIED = {"HUTONG_LIMITS__USER_PER_MINUTE": "100000000", "HUTONG_LIMITS__IP_PER_MINUTE": "100000000"}
"""The limits count every request all the same; only the number at which they refuse is out of reach."""


async def run(*, quick: bool) -> list[Finding]:
    """Both servers run at once, but only one is asked at a time."""
    seconds, rounds = (0.5, 2) if quick else (3.0, 6)
    with postgres() as database, redis() as store, tempfile.TemporaryDirectory() as folder:
        url = database.create_database("balance")
        settings = load_settings(env="test", data=Path(folder), database_url=url)
        await asyncio.to_thread(migrations.upgrade, settings)
        ours, bare = servers.port(), servers.port()
        serve = ["-m", "hutong", "serve", "--port", str(ours)]
        async with (
            servers.process(serve, environment(Path(folder), url, store.url)) as api,
            servers.process(["-m", "benchmarks.hello", str(bare)], {}) as floor,
        ):
            return await _measured(api, ours, floor, bare, seconds, rounds)


def environment(folder: Path, database_url: str, store_url: str) -> dict[str, str]:
    """Of an API process as in production, whose limits nobody reaches."""
    return {
        "HUTONG_ENV": "test",
        "HUTONG_DATA": str(folder),
        "HUTONG_DATABASE_URL": database_url,
        "HUTONG_STORE_URL": store_url,
        "HUTONG_LOG__LEVEL": "warning",
        **UNHURRIED,
    }


async def _measured(
    api: psutil.Process, ours: int, floor: psutil.Process, bare: int, seconds: float, rounds: int
) -> list[Finding]:
    await servers.answering(f"http://127.0.0.1:{ours}/readyz")
    await servers.answering(f"http://127.0.0.1:{bare}/")
    async with http_client() as client:
        phone = Phone(client, f"http://127.0.0.1:{ours}")
        await phone.login("bench-device")
    headers = {"Authorization": f"Bearer {phone.token}"}

    async def asked() -> Cost:
        watch = Stopwatch(api)
        return watch.cost(await servers.load(ours, BALANCE, seconds, headers))

    async def greeted() -> Cost:
        watch = Stopwatch(floor)
        return watch.cost(await servers.load(bare, "/", seconds))

    await asked()
    mine, hello = await alternate(asked, greeted, rounds)
    per_cpu = [median(costs, lambda cost: cost.per_cpu_second) for costs in (mine, hello)]
    micros = [median(costs, lambda cost: cost.cpu_micros) for costs in (mine, hello)]
    rate = median(mine, lambda cost: cost.per_second)
    return [
        Finding(
            "GET /points/balance on PostgreSQL, per CPU second",
            f"{per_cpu[0]:,.0f} ({micros[0]:.0f} µs, {rate:,.0f}/s)",
            f"Starlette hello {per_cpu[1]:,.0f} ({micros[1]:.0f} µs)",
            per_cpu[0] / per_cpu[1],
            goal=GOAL,
        )
    ]
