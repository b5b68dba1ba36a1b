"""While 12 logins hash their passwords at once: what /livez takes, beside its idle value; and the whole refresh endpoint."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import shoppers
from benchmarks.measure import Cost, Finding, Stopwatch, median, percentile
from support.http import http_client
from support.servers import postgres, redis

AT_ONCE = 12
REFRESHING = 8
PAUSE = 0.005


async def run(*, quick: bool) -> list[Finding]:
    """One process serves everything; passwords are hashed beside its event loop."""
    seconds, rounds = (1.0, 2) if quick else (5.0, 5)
    with postgres() as database, redis() as store, tempfile.TemporaryDirectory() as folder:
        async with shoppers.shop(Path(folder), database.create_database("shop"), store.url) as shop:
            customers = [await shoppers.sign_in(shop, f"bench{number}@example.com") for number in range(AT_ONCE)]
            idle = await _pulse(shop, seconds)
            busy, logins = await _while_logging_in(shop, seconds)
            tokens = [customer["refresh_token"] for customer in customers[:REFRESHING]]
            refreshed = [await _refreshing(shop, tokens, seconds) for _ in range(rounds)]
    return [_responsiveness(idle, busy, logins), _refresh(refreshed)]


def _responsiveness(idle: list[float], busy: list[float], logins: Cost) -> Finding:
    quiet, loaded = percentile(idle, 0.99) * 1000, percentile(busy, 0.99) * 1000
    said = f"p99 {loaded:.1f} ms, p50 {percentile(busy, 0.5) * 1000:.1f} ms, at {logins.per_second:.0f} logins/s"
    return Finding(f"/livez while {AT_ONCE} logins hash at once", said, f"idle p99 {quiet:.1f} ms", loaded, unit="ms")


def _refresh(rounds: list[Cost]) -> Finding:
    micros, rate = (median(rounds, figure) for figure in (lambda cost: cost.cpu_micros, lambda cost: cost.per_second))
    return Finding("POST /api/client/auth/refresh, whole", f"{rate:,.0f}/s", "", micros, unit="µs CPU")


async def _pulse(shop: shoppers.Shop, seconds: float) -> list[float]:
    """Seconds that each GET /livez took, one after another."""
    taken, until = [], time.perf_counter() + seconds
    async with http_client() as client:
        while (begun := time.perf_counter()) < until:
            async with client.get(f"{shop.url}/livez") as answer:
                assert answer.status == 200
            taken.append(time.perf_counter() - begun)
            await asyncio.sleep(PAUSE)
    return taken


async def _while_logging_in(shop: shoppers.Shop, seconds: float) -> tuple[list[float], Cost]:
    async with http_client() as client:

        async def log_in(number: int) -> None:
            body = {"email": f"bench{number}@example.com", "password": shoppers.PASSWORD}
            await shoppers.post(client, shop, "/login", body)

        pulse = asyncio.create_task(_pulse(shop, seconds))
        logins = await _each_again_and_again([partial(log_in, number) for number in range(AT_ONCE)], shop, seconds)
        return await pulse, logins


async def _refreshing(shop: shoppers.Shop, tokens: list[str], seconds: float) -> Cost:
    """Rounds of refreshing, each session with the token that the last refresh gave; `tokens` holds the newest at the end."""
    async with http_client() as client:

        async def refresh(number: int) -> None:
            answer = await shoppers.post(client, shop, "/refresh", {"refresh_token": tokens[number]})
            tokens[number] = answer["refresh_token"]

        works = [partial(refresh, number) for number in range(len(tokens))]
        return await _each_again_and_again(works, shop, seconds)


async def _each_again_and_again(
    works: Sequence[Callable[[], Awaitable[None]]], shop: shoppers.Shop, seconds: float
) -> Cost:
    until, count = time.perf_counter() + seconds, 0
    watch = Stopwatch(shop.api)

    async def repeat(work: Callable[[], Awaitable[None]]) -> None:
        nonlocal count
        while time.perf_counter() < until:
            await work()
            count += 1

    await asyncio.gather(*(repeat(work) for work in works))
    return watch.cost(count)
