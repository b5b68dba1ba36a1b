"""PostgreSQL over asyncpg: SQLAlchemy for units of work, a small raw pool for the hottest single statements."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import Connection, DateTime, Table, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hutong.kernel.db.database import Capabilities, DatabaseRefused, DatabaseUnavailable
from hutong.kernel.db.dialects.pooled import ABSENT, Driver, PooledDatabase
from hutong.kernel.db.dialects.support import DialectSupport, Ran
from hutong.kernel.db.statements import NamedStatement

T = TypeVar("T")
RETRIABLE_STATES = frozenset({"40001", "40P01", "55P03"})
UNREACHABLE_STATES = ("08", "57P", "53")
REFUSED_STATES = ("28", "3D", "42501")
"""Who we are, which database we ask for, what we may do there."""
BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)
SESSION = {"timezone": "UTC", "application_name": "hutong"}
ADVISORY_LOCK = 5_141_518


class PostgresSupport(DialectSupport):
    """PostgreSQL's words for the named statements."""

    now_sql = "(SELECT clock_timestamp())"
    """In brackets it is asked for once, so that an index may be searched for it; bare, it is another for every row."""
    moment = DateTime(timezone=True)

    def now_plus_sql(self, seconds: str) -> str:
        return f"clock_timestamp() + make_interval(secs => CAST({seconds} AS double precision))"

    def insert_if_absent(self, conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        return conn.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1

    def upsert(
        self, conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
    ) -> None:
        conn.execute(insert(table).values(**values).on_conflict_do_update(index_elements=list(key), set_=dict(update)))

    def run_raw(self, conn: Connection, statement: NamedStatement, params: Mapping[str, Any]) -> Ran:
        sql, names = statement.positional("postgresql", numbered=True)
        return self._ran(conn.exec_driver_sql(sql, tuple(params[name] for name in names)))


SUPPORT = PostgresSupport()


class AsyncpgDriver(Driver["asyncpg.Connection[Any]"]):
    """Raw asyncpg connections."""

    absent = (asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
    refusing = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)

    def __init__(self, url: URL, timeout: float) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout = timeout

    async def connect(self) -> "asyncpg.Connection[Any]":
        return cast(
            "asyncpg.Connection[Any]",
            await asyncpg.connect(
                self._dsn, server_settings=SESSION, command_timeout=self._timeout, timeout=self._timeout
            ),
        )

    def is_closed(self, conn: "asyncpg.Connection[Any]") -> bool:
        return bool(conn.is_closed())

    def terminate(self, conn: "asyncpg.Connection[Any]") -> None:
        conn.terminate()

    async def close(self, conn: "asyncpg.Connection[Any]") -> None:
        await conn.close()

    def is_broken(self, error: Exception) -> bool:
        return isinstance(error, BROKEN)


class PostgresDatabase(PooledDatabase["asyncpg.Connection[Any]"]):
    """One PostgreSQL database.

    Args:
        url: `postgresql://…`.
        pool: connections for units of work.
        hot_pool: connections for `hot` statements.
        timeout: seconds after which a statement is cancelled.
        overflow: connections beyond `pool` that are opened in a rush and closed after it.
    """

    capabilities = Capabilities(row_locks=True, update_returning=True, one_trip_writes=True)

    def __init__(self, url: URL, pool: int = 10, hot_pool: int = 10, timeout: float = 10.0, overflow: int = 0) -> None:
        engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=pool,
            max_overflow=overflow,
            pool_timeout=timeout,
            pool_use_lifo=True,
            connect_args={"server_settings": SESSION, "command_timeout": timeout, "timeout": timeout},
        ).sync_engine
        reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        super().__init__(AsyncpgDriver(url, timeout), engine, reading, hot_pool)

    async def hot(self, statement: NamedStatement, **params: Any) -> Sequence[tuple[Any, ...]]:
        sql, names = statement.positional("postgresql", numbered=True)
        try:
            async with self._hot.connection() as conn:
                return cast(Sequence[tuple[Any, ...]], await conn.fetch(sql, *[params[name] for name in names]))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(sql, None, error) from error

    def _retriable(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) in RETRIABLE_STATES

    def _translate(self, error: DBAPIError) -> Exception:
        return translated(error)


def translated(error: DBAPIError) -> Exception:
    """What an error of SQLAlchemy's means to a caller; itself when nothing special."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(REFUSED_STATES):
        return DatabaseRefused(retry_after=1)
    if error.connection_invalidated or state.startswith(UNREACHABLE_STATES) or isinstance(error, InterfaceError):
        return DatabaseUnavailable(retry_after=1)
    return error


def run_alone(url: URL, unit: Callable[[Connection], T]) -> T:
    """Run `unit` in one transaction that no other call shares, outside any event loop (for migrations).

    Raises:
        DatabaseUnavailable: the server cannot be reached, or refuses us.
    """

    def locked(conn: Connection) -> T:
        conn.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        return unit(conn)

    async def run() -> T:
        engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        try:
            async with engine.begin() as conn:
                return await conn.run_sync(locked)
        except DBAPIError as error:
            raise translated(error) from error
        except ABSENT as error:
            raise DatabaseUnavailable from error
        finally:
            await engine.dispose()

    return asyncio.run(run())


migrate = run_alone
"""Changes of the schema are part of the transaction here: they happen as a whole or not at all."""
extend = run_alone
"""Additions to the schema, too."""
