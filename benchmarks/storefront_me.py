"""GET /api/client/auth/me, its token asked of Redis each time, beside a bare Starlette hello and fastapi-users' JWT route.

PostgreSQL and Redis, all middleware on. The issue's goals: ≥ 0.15 of the hello, ≥ 8 × fastapi-users, per CPU second.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil

from benchmarks import servers, shoppers
from benchmarks.authenticated import PEER
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate_all, median
from benchmarks.peer_environment import PEERS, python_of, version_of
from hutong.kernel.store.copies import CHANGED_SECONDS
from support.servers import PostgreSQL, postgres, redis

OF_HELLO, OF_PEER = 0.15, 8.0


async def run(*, quick: bool) -> list[Finding]:
    """All three servers run at once, but only one is asked at a time."""
    seconds, rounds = (0.5, 2) if quick else (3.0, 6)
    python = await asyncio.to_thread(python_of, PEER)
    async with AsyncExitStack() as stack:
        database, store = stack.enter_context(postgres()), stack.enter_context(redis())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = database.create_database("shop")
        shop = await stack.enter_async_context(shoppers.shop(folder, url, store.url))
        token = (await shoppers.sign_in(shop, "bench@example.com"))["access_token"]
        await asyncio.sleep(CHANGED_SECONDS + 1)  # until then a profile that the sign-in changed is read from SQL
        measured = {
            "ours": asking(shop.api, shop.port, shoppers.ME, seconds, {"Authorization": f"Bearer {token}"}),
            "hello": await stack.enter_async_context(_hello(seconds)),
            "peer": await stack.enter_async_context(_peer(database, python, folder, seconds)),
        }
        for first in measured.values():
            await first()
        costs = await alternate_all(measured, rounds)
    return _findings(costs)


def _findings(costs: Mapping[str, list[Cost]]) -> list[Finding]:
    micros = {name: median(rounds, lambda cost: cost.cpu_micros) for name, rounds in costs.items()}
    rates = {name: median(rounds, lambda cost: cost.per_second) for name, rounds in costs.items()}
    told = {name: f"{rates[name]:,.0f}/s ({micros[name]:.0f} µs CPU)" for name in costs}
    peer = f"{version_of(PEER, 'fastapi-users')}: {told['peer']}"
    what = "GET /api/client/auth/me, per CPU second"
    return [
        Finding(
            what, told["ours"], f"Starlette hello {told['hello']}", micros["hello"] / micros["ours"], goal=OF_HELLO
        ),
        Finding(
            f"{what}, beside GET /me of fastapi-users",
            told["ours"],
            peer,
            micros["peer"] / micros["ours"],
            goal=OF_PEER,
        ),
    ]


@asynccontextmanager
async def _hello(seconds: float) -> AsyncIterator[Round]:
    port = servers.port()
    async with servers.process(["-m", "benchmarks.hello", str(port)], {}) as floor:
        await servers.answering(f"http://127.0.0.1:{port}/")
        yield asking(floor, port, "/", seconds, {})


@asynccontextmanager
async def _peer(database: PostgreSQL, python: Path, folder: Path, seconds: float) -> AsyncIterator[Round]:
    port, token = servers.port(), folder / "token"
    words = [str(PEERS / f"{PEER}_app.py"), database.create_database("theirs"), str(port), str(token)]
    async with servers.process(words, {}, python=str(python)) as app:
        await servers.answering(f"http://127.0.0.1:{port}/openapi.json")
        yield asking(app, port, "/me", seconds, {"Authorization": f"Bearer {token.read_text()}"})


def asking(server: psutil.Process, port: int, path: str, seconds: float, headers: Mapping[str, str]) -> Round:
    """A round of asking one server for one path."""

    async def asked() -> Cost:
        watch = Stopwatch(server)
        return watch.cost(await servers.load(port, path, seconds, headers))

    return asked
