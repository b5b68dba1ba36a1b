"""A server that restarts or hangs: what lay idle is replaced unseen, what waited ends in time with a clear error."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from hutong.host.settings import load_settings
from hutong.kernel.db import Connection, Database, DatabaseUnavailable, NamedStatement, open_database
from support.servers import MariaDB, PostgreSQL, mariadb, postgres

ONE = NamedStatement("t", {"default": "SELECT 1"})
Start = Callable[[], AbstractContextManager[PostgreSQL | MariaDB]]
pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.parametrize("start", [postgres, mariadb])]


def opened(server: PostgreSQL | MariaDB) -> Database:
    url = server.create_database("away")
    return open_database(load_settings(env="test", database_url=url, database={"statement_seconds": 1}))


def one(conn: Connection) -> int:
    return int(conn.execute(text("SELECT 1")).scalar_one())


async def all_ways(db: Database) -> list[Any]:
    """Outcomes of a transaction, a read and a hot statement, each with several connections."""
    calls = [call for _ in range(4) for call in (db.write(one), db.read(one), db.hot(ONE))]
    return list(await asyncio.gather(*calls, return_exceptions=True))


async def test_connections_that_died_while_idle_are_replaced_unseen(start: Start) -> None:
    with start() as server:
        db = opened(server)
        await all_ways(db)
        await asyncio.to_thread(server.restart)
        outcomes = await all_ways(db)
        await db.close()

    assert [outcome if isinstance(outcome, int) else int(outcome[0][0]) for outcome in outcomes] == [1] * 12


async def test_a_server_that_hangs_is_given_up_and_taken_back(start: Start) -> None:
    with start() as server:
        db = opened(server)
        await all_ways(db)
        processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
        for process in processes:
            process.suspend()
        try:
            async with asyncio.timeout(10):
                outcomes = await all_ways(db)
        finally:
            for process in processes:
                process.resume()
        async with asyncio.timeout(10):
            after = [await db.write(one), await db.read(one), len(await db.hot(ONE))]
            await db.close()

    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}
    assert after == [1, 1, 1]
