"""A quota's two moves, reserve and settle, as each request to a model makes them: one trip each, and in units of work.

Beside them two units of work that do nothing but SELECT 1: what any two transactions of this stack cost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count

from benchmarks.measure import Cost, Finding, Stopwatch, alternate, median
from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.kernel.db import Connection, Database, open_database
from hutong.kernel.quotas import Limits, QuickQuotas, Quotas
from hutong.kit.clock import SystemClock
from support.servers import mariadb, postgres

TOGETHER = 16
GOAL_MILLIS, MEASURED = 0.4, "PostgreSQL"
"""The goal is for the database that requests to models are measured on; MariaDB's driver is shown beside it."""
LIMITS = Limits(10**9, 10**9, 10**12, 10**12)
numbers = count(1)
Move = Callable[[int], Awaitable[object]]


async def run(*, quick: bool) -> list[Finding]:
    """PostgreSQL, MariaDB."""
    size, rounds = (320, 2) if quick else (1_600, 5)
    findings = []
    for name, server in (("PostgreSQL", postgres), ("MariaDB", mariadb)):
        with server(durable=True) as running:
            findings += await _on(name, running.create_database("quotas"), size, rounds)
    return findings


async def _on(name: str, url: str, size: int, rounds: int) -> list[Finding]:
    settings = load_settings(env="test", database_url=url)
    await asyncio.to_thread(migrations.upgrade, settings)
    db = open_database(settings)
    quotas, found = Quotas("bench", SystemClock()), []
    try:
        for way, goal, move in (
            ("in one trip each", GOAL_MILLIS if name == MEASURED else None, _quickly(quotas, db)),
            ("in two units of work", None, _in_units(quotas, db)),
        ):
            ours, floor = await alternate(partial(_together, size, move), partial(_together, size, _empty(db)), rounds)
            found.append(_finding(f"reserve and settle a quota {way}, {name}", ours, floor, goal))
    finally:
        await db.close()
    return found


async def _together(size: int, move: Move) -> Cost:
    """`size` requests by `TOGETHER` users at once."""
    watch = Stopwatch()

    async def caller(user: int) -> None:
        for _ in range(size // TOGETHER):
            await move(user)

    await asyncio.gather(*(caller(user) for user in range(TOGETHER)))
    return watch.cost(size // TOGETHER * TOGETHER)


def _quickly(quotas: Quotas, db: Database) -> Move:
    hot = QuickQuotas(quotas, db)

    async def move(user: int) -> None:
        number = next(numbers)
        await hot.reserve(
            reservation_id=number, user_id=user, limits=LIMITS, tokens=900, seconds=60.0, owner=f"completion:{number}"
        )
        assert await hot.settle(number, 300)

    return move


def _in_units(quotas: Quotas, db: Database) -> Move:
    def reserve(conn: Connection, number: int, user: int) -> None:
        quotas.reserve(
            conn, reservation_id=number, user_id=user, limits=LIMITS, tokens=900, seconds=60.0, owner=f"reply:{number}"
        )

    async def move(user: int) -> None:
        number = next(numbers)
        await db.write(reserve, number, user)
        assert await db.write(quotas.settle, number, 300)

    return move


def _empty(db: Database) -> Move:
    async def move(user: int) -> None:
        for _ in range(2):
            await db.write(lambda conn: conn.exec_driver_sql("SELECT 1").all())

    return move


def _finding(what: str, ours: list[Cost], floor: list[Cost], goal: float | None) -> Finding:
    mine, bare = (median(costs, lambda cost: cost.cpu_micros) / 1000 for costs in (ours, floor))
    rate = median(ours, lambda cost: cost.per_second)
    return Finding(
        what,
        f"{mine:.2f} ms CPU ({rate:,.0f}/s)",
        f"two empty units of work {bare:.2f} ms",
        mine,
        "ms",
        goal=goal,
        better="less",
    )
