"""Two API processes beside one: how much more they serve, and whether a request costs the same in each."""

import asyncio
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from benchmarks import balance, servers
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate_all, median
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client
from support.servers import postgres, redis
from support.stand import Phone

GOAL = 1.6
SAME_COST = 0.9
NEEDED_CORES = 4
"""One for each process, one for the load generator, one for PostgreSQL and Redis."""


async def run(*, quick: bool) -> list[Finding]:
    """Both processes share database, store and secrets; the generator asks one, or both at once."""
    seconds, rounds = (0.5, 2) if quick else (3.0, 6)
    async with AsyncExitStack() as stack:
        database, store = stack.enter_context(postgres()), stack.enter_context(redis())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = database.create_database("scale")
        await asyncio.to_thread(migrations.upgrade, load_settings(env="test", data=folder, database_url=url))
        environment = balance.environment(folder, url, store.url)
        ports, processes = (servers.port(), servers.port()), []
        for port in ports:
            serve = ["-m", "hutong", "serve", "--port", str(port)]
            processes.append(await stack.enter_async_context(servers.process(serve, environment)))
            await servers.answering(f"http://127.0.0.1:{port}/readyz")
        async with http_client() as client:
            token = (await Phone(client, f"http://127.0.0.1:{ports[0]}").login("bench-device")).token
        measured = {
            "one": _asking(processes[:1], ports[:1], seconds, token),
            "two": _asking(processes, ports, seconds, token),
        }
        await measured["two"]()
        costs = await alternate_all(measured, rounds)
    return _findings(costs["one"], costs["two"])


def _asking(processes: list[psutil.Process], ports: tuple[int, ...], seconds: float, token: str) -> Round:
    headers = {"Authorization": f"Bearer {token}"}

    async def asked() -> Cost:
        watch = Stopwatch(*processes)
        counts = await asyncio.gather(*(servers.load(port, balance.BALANCE, seconds, headers) for port in ports))
        return watch.cost(sum(counts))

    return asked


def _findings(one: list[Cost], two: list[Cost]) -> list[Finding]:
    rates = [median(costs, lambda cost: cost.per_second) for costs in (one, two)]
    micros = [median(costs, lambda cost: cost.cpu_micros) for costs in (one, two)]
    cores = os.cpu_count() or 1
    enough = cores >= NEEDED_CORES
    note = "" if enough else f"; this machine has {cores} cores, which generator and database share: no proof"
    both, single = (f"{rates[i]:,.0f}/s ({micros[i]:.0f} µs CPU)" for i in (1, 0))
    return [
        Finding(
            f"two API processes serve, beside one{note}",
            both,
            f"one process: {single}",
            rates[1] / rates[0],
            goal=GOAL if enough else None,
        ),
        Finding(
            "CPU of a request with one API process, beside two",
            both,
            f"one process: {single}",
            micros[0] / micros[1],
            goal=SAME_COST if enough else None,
        ),
    ]
