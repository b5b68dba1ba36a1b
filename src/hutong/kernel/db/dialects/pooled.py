"""What every dialect with a server shares: SQLAlchemy on an async driver for units of work, raw connections for the
hottest statements, and one way to say that nobody answers.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from hutong.kernel.db.database import Database, DatabaseRefused, DatabaseUnavailable, run_unit

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")
ABSENT = (OSError, EOFError, PoolTimeout)
"""Errors outside SQLAlchemy's and the drivers' own that mean: there is no server to talk to."""


class Driver(ABC, Generic[C]):
    """What the pools ask of a driver's own connections."""

    absent: tuple[type[Exception], ...] = ()
    """Errors by which the driver says, outside SQLAlchemy, that there is no server to talk to."""
    refusing: tuple[type[Exception], ...] = ()
    """Errors by which it says so that the server does not let us in."""

    @abstractmethod
    async def connect(self) -> C:
        """A new connection, set up for hot statements."""

    @abstractmethod
    def is_closed(self, conn: C) -> bool:
        """Whether the connection is known to be gone; asks nobody."""

    @abstractmethod
    def terminate(self, conn: C) -> None:
        """Drop a connection at once."""

    @abstractmethod
    async def close(self, conn: C) -> None:
        """Say goodbye and close."""

    @abstractmethod
    def is_broken(self, error: Exception) -> bool:
        """Whether the server broke off, so that the connection is of no more use."""

    async def reach(self, work: Awaitable[T]) -> T:
        """Await database work; what is not there to talk to becomes `DatabaseUnavailable`, who shuts us out a refusal."""
        absent: tuple[type[Exception], ...] = ABSENT + self.absent
        try:
            return await work
        except absent as error:
            raise DatabaseUnavailable(retry_after=1) from error
        except self.refusing as error:
            raise DatabaseRefused(retry_after=1) from error


class HotPool(Generic[C]):
    """A pool of raw connections that resets nothing between uses: hot statements leave nothing behind."""

    def __init__(self, driver: Driver[C], size: int) -> None:
        self._driver = driver
        self._free: list[C] = []
        self._slots = asyncio.Semaphore(size)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[C]:
        """A connection, given back when the block ends.

        Raises:
            DatabaseUnavailable: the server cannot be reached or broke off.
        """
        async with self._slots:
            conn = await self._take()
            try:
                yield conn
            except Exception as error:
                if not self._driver.is_broken(error):
                    raise
                self._driver.terminate(conn)
                raise DatabaseUnavailable(retry_after=1) from error
            finally:
                if not self._driver.is_closed(conn):
                    self._free.append(conn)

    async def _take(self) -> C:
        while self._free:
            if not self._driver.is_closed(conn := self._free.pop()):
                return conn
        return await self._driver.reach(self._driver.connect())

    async def close(self) -> None:
        """Close what is free; what is in use closes with the process."""
        while self._free:
            await self._driver.close(self._free.pop())


class PooledDatabase(Database, Generic[C]):
    """A database behind a server.

    Args:
        driver: of the raw connections.
        engine: for transactions.
        reading: for reads, each statement by itself.
        hot_pool: connections for `hot` statements.
    """

    def __init__(self, driver: Driver[C], engine: Engine, reading: Engine, hot_pool: int) -> None:
        self._driver = driver
        self._engine = engine
        self._reading = reading
        self._hot = HotPool(driver, hot_pool)
        for pooled in {engine.pool, reading.pool}:
            event.listen(pooled, "checkout", self._check_out)

    async def _transact(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        return await self._driver.reach(self._run(self._commit, unit))

    async def _query(self, unit: Callable[[Connection], T]) -> T:
        return await self._driver.reach(self._run(self._look, unit))

    async def close(self) -> None:
        await self._hot.close()
        for engine in {self._engine, self._reading}:
            await greenlet_spawn(engine.dispose)

    async def _run(self, how: Callable[[Callable[[Connection], T]], R], unit: Callable[[Connection], T]) -> R:
        return await greenlet_spawn(how, unit)

    def _commit(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        with self._engine.begin() as conn:
            return run_unit(conn, unit)

    def _look(self, unit: Callable[[Connection], T]) -> T:
        with self._reading.connect() as conn:
            return unit(conn)

    def _check_out(self, _adapter: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        """Have the pool replace a connection that the server closed while it lay idle."""
        if self._driver.is_closed(cast(C, record.driver_connection)):
            raise DisconnectionError
