"""A spend from the ledger beside the same statements by the raw driver, with the same thread hop and durability."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import asyncmy
import asyncpg

from benchmarks.measure import Cost, Finding, Stopwatch, alternate, median
from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.kernel.credits import EntryKind, Wallet, create_account, grant
from hutong.kernel.credits.ledger import Move
from hutong.kernel.db import Database, open_database
from hutong.kernel.db.dialects.sqlite import PRAGMAS
from support.servers import mariadb, postgres

TOGETHER = 16
BEGIN = "BEGIN IMMEDIATE"
RAW_UPDATE = (
    "UPDATE credit_accounts SET balance = balance - ?, updated_at = ?"
    " WHERE account_id = ? AND balance >= ? RETURNING balance"
)
COLUMNS = "id, account_id, kind, amount, balance_after, idempotency_key, period_key, ref_type, ref_id, created_at"
RAW_INSERT = f"INSERT INTO credit_entries ({COLUMNS}) VALUES (?, ?, 'consume', ?, ?, ?, NULL, ?, ?, ?)"  # noqa: S608
RAW_BOTH = f"""WITH taken AS (UPDATE credit_accounts SET balance = balance - $1::bigint, updated_at = $2
    WHERE account_id = $3 AND balance >= $1::bigint RETURNING balance)
    INSERT INTO credit_entries ({COLUMNS})
    SELECT $4, $3, 'consume', -$1::bigint, taken.balance, $5, NULL, $6, $7, $2 FROM taken RETURNING balance_after"""  # noqa: S608
RAW_TAKE = "UPDATE credit_accounts SET balance = balance - 1, updated_at = %s WHERE account_id = %s AND balance >= 1"
RAW_ENTER = f"""INSERT INTO credit_entries ({COLUMNS})
    SELECT %s, %s, 'consume', -1, balance, %s, NULL, %s, %s, %s FROM credit_accounts WHERE account_id = %s"""  # noqa: S608
numbers = count(1_000_000)


async def run(*, quick: bool) -> list[Finding]:
    """SQLite, PostgreSQL, MariaDB."""
    size, rounds = (200, 2) if quick else (2_000, 6)
    return [await _sqlite(size, rounds), await _postgresql(size, rounds), await _mariadb(size, rounds)]


async def _together(size: int, spend: Callable[[int], Awaitable[object]]) -> Cost:
    """`size` spends by `TOGETHER` callers, each of an account of its own."""
    watch = Stopwatch()

    async def caller(number: int) -> None:
        for _ in range(size // TOGETHER):
            await spend(number)

    await asyncio.gather(*(caller(number) for number in range(TOGETHER)))
    return watch.cost(size // TOGETHER * TOGETHER)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - as a caller would have it


async def _accounts(db: Database) -> None:
    for account in range(TOGETHER):
        await db.write(create_account, account, _now())
        await db.write(grant, Move(next(numbers), account, EntryKind.REWARD, 10**9, f"grant-{account}", _now()))


def _ours(wallet: Wallet) -> Callable[[int], Awaitable[object]]:
    async def spend(account: int) -> None:
        number = next(numbers)
        move = Move(number, account, EntryKind.CONSUME, -1, f"k{number}", _now(), ref_type="bench", ref_id=str(number))
        assert await wallet.spend(move)

    return spend


async def _sqlite(size: int, rounds: int) -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        settings = load_settings(env="test", data=Path(folder), database_url=f"sqlite:///{path}")
        await asyncio.to_thread(migrations.upgrade, settings)
        db = open_database(settings)
        await _accounts(db)
        raw = _RawSqlite(path)
        try:
            ours, floor = await alternate(
                lambda: _together(size, _ours(Wallet(db))), lambda: _together(size, raw.spend), rounds
            )
        finally:
            raw.close()
            await db.close()
    return _finding("a spend on SQLite, synchronous=FULL", ours, floor)


class _RawSqlite:
    """The same two statements in one transaction, by the standard library's driver, on one writer thread."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._connection = self._thread.submit(self._open, path).result()

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    async def spend(self, account: int) -> None:
        number = next(numbers)
        now = _now().strftime("%Y-%m-%d %H:%M:%S.%f")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._run, account, number, now)

    def _run(self, account: int, number: int, now: str) -> None:
        self._connection.execute(BEGIN)
        ((after,),) = self._connection.execute(RAW_UPDATE, (1, now, account, 1)).fetchall()
        row = (number, account, -1, after, f"k{number}", "bench", str(number), now)
        self._connection.execute(RAW_INSERT, row)
        self._connection.commit()

    def close(self) -> None:
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()


async def _postgresql(size: int, rounds: int) -> Finding:
    with postgres(durable=True) as server:
        url = server.create_database("ledger")
        settings = load_settings(env="test", database_url=url)
        await asyncio.to_thread(migrations.upgrade, settings)
        db = open_database(settings)
        await _accounts(db)
        pool = await asyncpg.create_pool(server.database_url("ledger"), min_size=10, max_size=10)

        async def raw(account: int) -> None:
            number = next(numbers)
            rows = await pool.fetch(RAW_BOTH, 1, _now(), account, number, f"k{number}", "bench", str(number))
            assert rows

        try:
            ours, floor = await alternate(
                lambda: _together(size, _ours(Wallet(db))), lambda: _together(size, raw), rounds
            )
        finally:
            await pool.close()
            await db.close()
    return _finding("a spend on PostgreSQL, fsync on", ours, floor)


async def _mariadb(size: int, rounds: int) -> Finding:
    with mariadb(durable=True) as server:
        url = server.create_database("ledger")
        settings = load_settings(env="test", database_url=url)
        await asyncio.to_thread(migrations.upgrade, settings)
        db = open_database(settings)
        await _accounts(db)
        words: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "root", "db": "ledger"}
        pool = await asyncmy.create_pool(minsize=10, maxsize=10, autocommit=False, **words)

        async def raw(account: int) -> None:
            number, now = next(numbers), _now().replace(tzinfo=None)
            async with pool.acquire() as conn, conn.cursor() as cursor:
                assert await cursor.execute(RAW_TAKE, (now, account)) == 1
                row = (number, account, f"k{number}", "bench", str(number), now, account)
                assert await cursor.execute(RAW_ENTER, row) == 1
                await conn.commit()

        try:
            ours, floor = await alternate(
                lambda: _together(size, _ours(Wallet(db))), lambda: _together(size, raw), rounds
            )
        finally:
            pool.close()
            await pool.wait_closed()
            await db.close()
    return _finding("a spend on MariaDB, flushed at each commit", ours, floor)


def _finding(what: str, ours: list[Cost], floor: list[Cost]) -> Finding:
    """The ratio by the clock: what a caller gets of what the driver could do."""
    mine, bare = (median(costs, lambda cost: cost.per_second) for costs in (ours, floor))
    micros = [median(costs, lambda cost: cost.cpu_micros) for costs in (ours, floor)]
    return Finding(
        what,
        f"{mine:,.0f}/s ({micros[0]:.0f} µs CPU)",
        f"raw driver {bare:,.0f}/s ({micros[1]:.0f} µs CPU)",
        mine / bare,
        goal=0.5,
    )
