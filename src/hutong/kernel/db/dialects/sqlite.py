"""SQLite: WAL, one writer thread with BEGIN IMMEDIATE, a few reader threads, one thread hop a unit of work.

synchronous=FULL, because credits live here: a committed row survives power loss (reference/reliability.md §0.2).
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Row, Select, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from hutong.kernel.db.database import Capabilities, Database, DatabaseRefused, DatabaseUnavailable, run_unit
from hutong.kernel.db.dialects.support import DialectSupport, Ran
from hutong.kernel.db.statements import NamedStatement

T = TypeVar("T")
BUSY_MS = 10_000
AWAY = ("locked", "unable to open", "disk I/O", "disk is full", "readonly")
NO_DATABASE = "not a database"
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA temp_store=MEMORY",
)


class SqliteSupport(DialectSupport):
    """SQLite's words for the named statements."""

    now_sql = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"

    def now_plus_sql(self, seconds: str) -> str:
        return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"

    def insert_if_absent(self, conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        return conn.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1

    def upsert(
        self, conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
    ) -> None:
        conn.execute(insert(table).values(**values).on_conflict_do_update(index_elements=list(key), set_=dict(update)))

    def claim_rows(self, conn: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
        return conn.execute(query).all()  # the one writer holds the whole database already

    def run_raw(self, conn: Connection, statement: NamedStatement, params: Mapping[str, Any]) -> Ran:
        cursor = _wrapped(_driver(conn).execute, statement.text("sqlite"), _plain(params))
        if cursor.description is None:
            return Ran((), cursor.rowcount)
        rows = cursor.fetchall()
        return Ran(rows, len(rows))


SUPPORT = SqliteSupport()


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Raw parameters with moments as `UtcTime` stores them here."""
    return {name: _moment(value) if isinstance(value, datetime) else value for name, value in params.items()}


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _driver(conn: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, conn.connection.driver_connection)


def sqlite_engine(url: URL) -> Engine:
    """An engine whose connections are set up as above and leave transactions to the caller."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(pragma)

    return engine


class SqliteDatabase(Database):
    """One SQLite file.

    Args:
        url: `sqlite:///path`; the folder is made if missing.
        readers: number of reader threads.
    """

    capabilities = Capabilities(row_locks=False, update_returning=True, one_trip_writes=False)

    def __init__(self, url: URL, readers: int = 4) -> None:
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = sqlite_engine(url)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="sqlite-reader")
        self._local = threading.local()
        self._open: list[Connection] = []

    async def _transact(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._commit, unit)

    async def _query(self, unit: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, unit)

    async def hot(self, statement: NamedStatement, **params: Any) -> Sequence[tuple[Any, ...]]:
        sql = statement.text("sqlite")
        pool = self._readers if sql.lstrip()[:6].upper() == "SELECT" else self._writer
        return await asyncio.get_running_loop().run_in_executor(pool, self._raw, sql, _plain(params))

    async def close(self) -> None:
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for conn in self._open:
            conn.close()
        self._engine.dispose()

    def _connection(self) -> Connection:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._engine.connect()
            self._open.append(conn)
        return conn

    def _commit(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
        conn = self._connection()
        driver = _driver(conn)
        try:
            _wrapped(driver.execute, "BEGIN IMMEDIATE")
            outcome = run_unit(conn, unit)
            conn.commit() if conn.in_transaction() else driver.commit()
        except BaseException:
            _undo(conn)
            raise
        return outcome

    def _look(self, unit: Callable[[Connection], T]) -> T:
        conn = self._connection()
        try:
            return unit(conn)
        finally:
            _undo(conn)

    def _raw(self, sql: str, params: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        return cast(Sequence[tuple[Any, ...]], _wrapped(_driver(self._connection()).execute, sql, params).fetchall())

    def _retriable(self, error: DBAPIError) -> bool:
        return "locked" in str(error.orig)

    def _translate(self, error: DBAPIError) -> Exception:
        return translated(error)


def translated(error: DBAPIError) -> Exception:
    """What an error of SQLAlchemy's means to a caller; itself when nothing special."""
    said = str(error.orig)
    if isinstance(error.orig, sqlite3.OperationalError) and any(words in said for words in AWAY):
        return DatabaseUnavailable(retry_after=1)
    return DatabaseRefused(retry_after=1) if NO_DATABASE in said else error


def _undo(conn: Connection) -> None:
    """Leave no transaction behind: neither SQLAlchemy's, which a failed commit leaves for a rollback to end, nor SQLite's."""
    conn.rollback()
    driver = _driver(conn)
    if driver.in_transaction:
        driver.rollback()


def _wrapped(call: Callable[..., sqlite3.Cursor], sql: str, *args: Any) -> sqlite3.Cursor:
    """Run a raw call, its errors in SQLAlchemy's form as everywhere else."""
    try:
        return call(sql, *args)
    except sqlite3.Error as error:
        raise DBAPIError.instance(sql, None, error, sqlite3.Error) from error


def run_alone(url: URL, unit: Callable[[Connection], T]) -> T:
    """Run `unit` in one transaction that no other call shares, schema changes included (for migrations).

    Raises:
        DatabaseUnavailable: the file cannot be opened or written, or is no database.
    """
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlite_engine(url)
    try:
        with engine.connect() as conn, conn.begin():
            conn.exec_driver_sql("BEGIN IMMEDIATE")
            return unit(conn)
    except DBAPIError as error:
        raise translated(error) from error
    finally:
        engine.dispose()


migrate = run_alone
"""Changes of the schema are part of the transaction here: they happen as a whole or not at all."""
extend = run_alone
"""Additions to the schema, too."""
