"""An authenticated request beside fastapi-users: JWT and the user's row from PostgreSQL, per request in CPU time."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil

from benchmarks import balance, servers
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate_all, median
from benchmarks.peer_environment import PEERS, python_of, version_of
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client
from support.servers import PostgreSQL, postgres, redis
from support.stand import Phone

PROFILE = "/emoji/api/v1/user/profile"
PEER = "fastapi_users"


async def run(*, quick: bool) -> list[Finding]:
    """Ours with limits, epochs, metrics and log line; theirs as its documentation sets it up, without any of these."""
    seconds, rounds = (0.5, 2) if quick else (3.0, 6)
    python = await asyncio.to_thread(python_of, PEER)
    async with AsyncExitStack() as stack:
        database = stack.enter_context(postgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        measured = await stack.enter_async_context(_ours(database, folder, seconds))
        measured["peer"] = await stack.enter_async_context(_theirs(database, python, folder, seconds))
        for first in measured.values():
            await first()
        costs = await alternate_all(measured, rounds)
    theirs = costs.pop("peer")
    return [_finding(what, ours, theirs) for what, ours in costs.items()]


def _finding(what: str, ours: list[Cost], theirs: list[Cost]) -> Finding:
    micros, other = (median(costs, lambda cost: cost.cpu_micros) for costs in (ours, theirs))
    rates = [median(costs, lambda cost: cost.per_second) for costs in (ours, theirs)]
    return Finding(
        f"GET {what}, beside GET /me of fastapi-users",
        f"{rates[0]:,.0f}/s ({micros:.0f} µs CPU)",
        f"{version_of(PEER, 'fastapi-users')}: {rates[1]:,.0f}/s ({other:.0f} µs CPU)",
        other / micros,
    )


@asynccontextmanager
async def _ours(database: PostgreSQL, folder: Path, seconds: float) -> AsyncIterator[dict[str, Round]]:
    port = servers.port()
    url = database.create_database("ours")
    await asyncio.to_thread(migrations.upgrade, load_settings(env="test", data=folder, database_url=url))
    with redis() as store:
        environment = balance.environment(folder, url, store.url)
        async with servers.process(["-m", "hutong", "serve", "--port", str(port)], environment) as api:
            await servers.answering(f"http://127.0.0.1:{port}/readyz")
            async with http_client() as client:
                token = (await Phone(client, f"http://127.0.0.1:{port}").login("bench-device")).token
            paths = {"/user/profile": PROFILE, "/points/balance": balance.BALANCE}
            yield {name: _asking(api, port, path, seconds, token) for name, path in paths.items()}


@asynccontextmanager
async def _theirs(database: PostgreSQL, python: Path, folder: Path, seconds: float) -> AsyncIterator[Round]:
    port, token = servers.port(), folder / "token"
    words = [str(PEERS / f"{PEER}_app.py"), database.create_database("theirs"), str(port), str(token)]
    async with servers.process(words, {}, python=str(python)) as app:
        await servers.answering(f"http://127.0.0.1:{port}/openapi.json")
        yield _asking(app, port, "/me", seconds, token.read_text())


def _asking(server: psutil.Process, port: int, path: str, seconds: float, token: str) -> Round:
    async def asked() -> Cost:
        watch = Stopwatch(server)
        return watch.cost(await servers.load(port, path, seconds, {"Authorization": f"Bearer {token}"}))

    return asked
