"""A server that restarts or hangs: what lay idle is replaced unseen, what waited ends in time with a clear error."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import uvloop
from sqlalchemy import text

from hutong.host.settings import load_settings
from hutong.kernel.db import Connection, Database, DatabaseUnavailable, NamedStatement, open_database
from support.lifecycle import HOST
from support.servers import MariaDB, PostgreSQL, mariadb, postgres

ONE = NamedStatement("t", {"default": "SELECT 1"})
Start = Callable[[], AbstractContextManager[PostgreSQL | MariaDB]]
both = pytest.mark.parametrize("start", [postgres, mariadb])
pytestmark = [pytest.mark.server, pytest.mark.slow]


def opened(url: str) -> Database:
    return open_database(load_settings(env="test", database_url=url, database={"statement_seconds": 1}))


def one(conn: Connection) -> int:
    return int(conn.execute(text("SELECT 1")).scalar_one())


async def all_ways(db: Database) -> list[Any]:
    """Outcomes of a transaction, a read and a hot statement, each with several connections."""
    calls = [call for _ in range(4) for call in (db.write(one), db.read(one), db.hot(ONE))]
    return list(await asyncio.gather(*calls, return_exceptions=True))


@both
async def test_connections_that_died_while_idle_are_replaced_unseen(start: Start) -> None:
    with start() as server:
        db = opened(server.create_database("away"))
        await all_ways(db)
        await asyncio.to_thread(server.restart)
        outcomes = await all_ways(db)
        await db.close()

    assert [outcome if isinstance(outcome, int) else int(outcome[0][0]) for outcome in outcomes] == [1] * 12


@both
async def test_a_server_that_hangs_is_given_up_and_taken_back(start: Start) -> None:
    with start() as server:
        db = opened(server.create_database("away"))
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


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
async def test_a_door_that_is_shut_in_the_face_is_a_server_that_is_away(scheme: str) -> None:
    """A balancer without a server takes the connection and hangs up; the loop of production sees that at once."""
    with socket.create_server((HOST, 0)) as door:
        port = door.getsockname()[1]
        doorkeeper = threading.Thread(target=shut_in_the_face, args=(door,), daemon=True)
        doorkeeper.start()
        outcomes = await asyncio.to_thread(uvloop.run, knock(f"{scheme}://u:p@{HOST}:{port}/away"))
        door.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(doorkeeper.join)

    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}


def shut_in_the_face(door: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            door.accept()[0].close()


async def knock(url: str) -> list[Any]:
    db = opened(url)
    outcomes = [outcome for _ in range(5) for outcome in await all_ways(db)]
    await db.close()
    return outcomes


async def test_an_answer_that_is_none_ends_its_connection_only() -> None:
    """Numbers out of order, as after lost bytes: 503 for whoever asked, and nobody else is given that connection."""
    with mariadb() as server:
        url = server.create_database("away")
        async with garbling(server.port) as garbler:
            db = opened(url.replace(str(server.port), str(garbler.port)))
            await all_ways(db)
            garbler.armed = True
            outcomes = await all_ways(db)
            garbler.armed = False
            after = await all_ways(db)
            await db.close()

    assert DatabaseUnavailable in {type(outcome) for outcome in outcomes}
    assert {type(outcome) for outcome in outcomes} <= {DatabaseUnavailable, int, list}
    assert [outcome if isinstance(outcome, int) else int(outcome[0][0]) for outcome in after] == [1] * 12


@dataclass
class Garbler:
    """Stands between a client and MariaDB; while armed, it falsifies the number of every packet that the server sends."""

    target: int
    port: int = 0
    armed: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(HOST, self.target)
        ways = (self._pass(reader, to_server, falsify=False), self._pass(from_server, writer, falsify=True))
        await asyncio.gather(*ways)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, falsify: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                number = 3  # behind the length in three bytes
                sink.write(data[:number] + b"\x77" + data[number + 1 :] if falsify and self.armed else data)
        sink.close()


@asynccontextmanager
async def garbling(target: int) -> AsyncIterator[Garbler]:
    made = Garbler(target)
    server = await asyncio.start_server(made.serve, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
