"""PostgreSQL over asyncpg: SQLAlchemy for units of work, a small raw pool for the hottest single statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from hutong.kernel.db.database import Capabilities, Database, DatabaseUnavailable, run_unit
from hutong.kernel.db.dialects.support import DialectSupport
from hutong.kernel.db.statements import NamedStatement

T = TypeVar("T")
RETRIABLE_STATES = frozenset({"40001", "40P01", "55P03"})
UNREACHABLE_STATES = ("08", "57P", "53")
SESSION = {"timezone": "UTC", "application_name": "hutong"}


class PostgresSupport(DialectSupport):
    """PostgreSQL's words for the named statements."""

    now_sql = "clock_timestamp()"

    def now_plus_sql(self, seconds: str) -> str:
        return f"clock_timestamp() + make_interval(secs => CAST({seconds} AS double precision))"

    def insert_if_absent(self, conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        return conn.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1

    def upsert(
        self, conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
    ) -> None:
        conn.execute(insert(table).values(**values).on_conflict_do_update(index_elements=list(key), set_=dict(update)))

    def run_raw(self, conn: Connection, statement: NamedStatement, params: Mapping[str, Any]) -> Sequence[Any]:
        sql, names = statement.positional("postgresql")
        result = conn.exec_driver_sql(sql, tuple(params[name] for name in names))
        return result.all() if result.returns_rows else ()


SUPPORT = PostgresSupport()


class PostgresDatabase(Database):
    """One PostgreSQL database.

    Args:
        url: `postgresql://…`.
        pool: connections for units of work.
        hot_pool: connections for `hot` statements.
        timeout: seconds after which a statement is cancelled.
    """

    capabilities = Capabilities(row_locks=True, update_returning=True, writable_cte=True)

    def __init__(self, url: URL, pool: int = 10, hot_pool: int = 10, timeout: float = 10.0) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=pool,
            max_overflow=0,
            pool_timeout=timeout,
            pool_use_lifo=True,
            connect_args={"server_settings": SESSION, "command_timeout": timeout, "timeout": timeout},
        ).sync_engine
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._hot = HotPool(url, hot_pool, timeout)

    async def _transact(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        return await _reaching(greenlet_spawn(self._commit, unit))

    async def _query(self, unit: Callable[[Connection], T]) -> T:
        return await _reaching(greenlet_spawn(self._look, unit))

    async def hot(self, statement: NamedStatement, **params: Any) -> Sequence[tuple[Any, ...]]:
        sql, names = statement.positional("postgresql")
        try:
            async with self._hot.connection() as conn:
                return cast(Sequence[tuple[Any, ...]], await conn.fetch(sql, *[params[name] for name in names]))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(sql, None, error) from error

    async def close(self) -> None:
        await self._hot.close()
        await greenlet_spawn(self._engine.dispose)

    def _commit(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        with self._engine.begin() as conn:
            return run_unit(conn, unit)

    def _look(self, unit: Callable[[Connection], T]) -> T:
        with self._reading.connect() as conn:
            return unit(conn)

    def _retriable(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) in RETRIABLE_STATES

    def _unreachable(self, error: DBAPIError) -> bool:
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(UNREACHABLE_STATES) or isinstance(error, InterfaceError)


async def _reaching(work: Awaitable[T]) -> T:
    """Await database work; what is not there to talk to becomes `DatabaseUnavailable`."""
    try:
        return await work
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
        raise DatabaseUnavailable(retry_after=1) from error


class HotPool:
    """A pool of raw asyncpg connections that resets nothing between uses: hot statements leave nothing behind."""

    def __init__(self, url: URL, size: int, timeout: float) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout = timeout
        self._free: list[asyncpg.Connection[Any]] = []
        self._slots = asyncio.Semaphore(size)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["asyncpg.Connection[Any]"]:
        """A connection, given back when the block ends.

        Raises:
            DatabaseUnavailable: the server cannot be reached or broke off.
        """
        async with self._slots:
            conn = await self._take()
            try:
                yield conn
            except (
                OSError,
                asyncpg.InterfaceError,
                asyncpg.PostgresConnectionError,
                asyncpg.OperatorInterventionError,
            ) as error:
                conn.terminate()
                raise DatabaseUnavailable(retry_after=1) from error
            finally:
                if not conn.is_closed():
                    self._free.append(conn)

    async def _take(self) -> "asyncpg.Connection[Any]":
        while self._free:
            if not (conn := self._free.pop()).is_closed():
                return conn
        return cast(
            "asyncpg.Connection[Any]",
            await _reaching(
                asyncpg.connect(
                    self._dsn, server_settings=SESSION, command_timeout=self._timeout, timeout=self._timeout
                )
            ),
        )

    async def close(self) -> None:
        """Close what is free; what is in use closes with the process."""
        while self._free:
            await self._free.pop().close()


def run_once(url: URL, unit: Callable[[Connection], T]) -> T:
    """Run `unit` in one transaction on a connection of its own, outside any event loop (for migrations)."""

    async def run() -> T:
        engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        try:
            async with engine.begin() as conn:
                return await conn.run_sync(unit)
        finally:
            await engine.dispose()

    return asyncio.run(run())
