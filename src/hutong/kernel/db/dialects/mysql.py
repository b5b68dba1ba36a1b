"""MariaDB and MySQL over asyncmy: SQLAlchemy for units of work, a small raw pool for the hottest statements.

Only MariaDB was run. What MySQL 8 says otherwise was taken from its manual; see docs/kernel/db.md and ADR 0011.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from asyncmy.connection import Connection as Raw
from asyncmy.errors import Error as DriverError
from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, String, Table, event, func, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT, insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.util import greenlet_spawn

from hutong.kernel.db.database import Capabilities, DatabaseUnavailable
from hutong.kernel.db.dialects.half_done import Progress, SchemaHalfChanged, half_done, unfinished
from hutong.kernel.db.dialects.mysql_driver import (
    BASICS,
    GRACE_SECONDS,
    RETRIABLE,
    AsyncmyDriver,
    code_of,
    fetch,
    mysql_engine,
    plain,
    session_words,
    translated,
    wrapped,
)
from hutong.kernel.db.dialects.pooled import ABSENT, PooledDatabase
from hutong.kernel.db.dialects.support import DialectSupport, Ran
from hutong.kernel.db.statements import NamedStatement

T = TypeVar("T")
R = TypeVar("R")
LOCK_SECONDS = 3600
_LOCK = "CONCAT('hutong.', MD5(DATABASE()))"  # 39 characters of the 64 that MySQL allows
_BYTEWISE = "collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')"  # MariaDB's name and MySQL's
_QUIET = ", max_error_count = 0"  # else the driver logs for every table that its primary key's name is ignored
_LIMIT = "hutong.limit"


class MysqlSupport(DialectSupport):
    """MariaDB's and MySQL's words for the named statements.

    LAST_INSERT_ID(x) puts x into the answer that every statement gets anyway, and so stands in for RETURNING.
    """

    now_sql = "UTC_TIMESTAMP(6)"
    moment = DATETIME(fsp=6)
    long_text: String = MEDIUMTEXT()  # TEXT ends at 64 KiB

    def now_plus_sql(self, seconds: str) -> str:
        return f"UTC_TIMESTAMP(6) + INTERVAL ROUND({seconds} * 1000000) MICROSECOND"

    def insert_if_absent(self, conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
        """INSERT IGNORE would swallow every other error too, and rowcount is 1 for a row found as for a row made."""
        unchanged = next(iter(table.primary_key))
        found = func.if_(func.last_insert_id(1) == 1, unchanged, unchanged)
        done = conn.execute(insert(table).values(**values).on_duplicate_key_update({unchanged.key: found}))
        return done.lastrowid == 0

    def upsert(
        self, conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
    ) -> None:
        conn.execute(insert(table).values(**values).on_duplicate_key_update(dict(update)))

    def add_within(
        self,
        conn: Connection,
        column: ColumnElement[int],
        where: ColumnElement[bool],
        delta: int,
        lowest: int,
        also: Mapping[str, Any],
    ) -> int | None:
        changed = self._guarded(column, where, delta, lowest, also)
        after = sql_cast(func.last_insert_id(column + delta), BigInteger)  # it returns an unsigned number
        done = conn.execute(changed.values({cast(Any, column).key: after}))
        return _signed(done.lastrowid) if done.rowcount else None

    def run_raw(self, conn: Connection, statement: NamedStatement, params: Mapping[str, Any]) -> Ran:
        sql, names = statement.positional("mysql", numbered=False)
        return self._ran(conn.exec_driver_sql(sql, plain(params, names)))


SUPPORT = MysqlSupport()


def _signed(number: int) -> int:
    """LAST_INSERT_ID travels as an unsigned number of 64 bits."""
    return number - 2**64 if number >= 2**63 else number


class MysqlDatabase(PooledDatabase[Raw]):
    """One MariaDB or MySQL database.

    Args:
        url: `mysql://…`.
        pool: connections for transactions, and as many again for reads: switching a connection between the two would
            cost two trips a read.
        hot_pool: connections for `hot` statements.
        timeout: seconds after which a statement is cancelled.
        overflow: connections beyond `pool` that are opened in a rush and closed after it.
    """

    capabilities = Capabilities(row_locks=True, update_returning=False, one_trip_writes=True)

    def __init__(self, url: URL, pool: int = 10, hot_pool: int = 10, timeout: float = 10.0, overflow: int = 0) -> None:
        self._patience = timeout + GRACE_SECONDS
        words = {"init_command": session_words(timeout), "connect_timeout": timeout}
        engine = mysql_engine(url, words, pool_size=pool, max_overflow=overflow, pool_timeout=timeout)
        reading = mysql_engine(
            url,
            words,
            pool_size=pool,
            max_overflow=overflow,
            pool_timeout=timeout,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        _, raw = engine.dialect.create_connect_args(url)
        driver = AsyncmyDriver({**raw, **words, "autocommit": True, "stmt_cache_size": 100}, self._patience)
        super().__init__(driver, engine, reading, hot_pool)
        for each in (engine, reading):
            event.listen(each, "before_cursor_execute", _allow_more_time)

    async def hot(self, statement: NamedStatement, **params: Any) -> Sequence[tuple[Any, ...]]:
        """Several statements in one text go in one trip; the rows are those of the last that has any."""
        sql, names = statement.positional("mysql", numbered=False)
        args = plain(params, names)
        return await self._persist(lambda: self._once(sql, args))

    async def _once(self, sql: str, args: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        async with self._hot.connection() as conn:
            try:
                async with asyncio.timeout(self._patience):
                    return await fetch(conn, sql, args)
            except DriverError as error:
                if self._driver.is_broken(error):
                    raise
                await conn.rollback()
                raise wrapped(sql, error) from error

    async def _run(self, how: Callable[[Callable[[Connection], T]], R], unit: Callable[[Connection], T]) -> R:
        """Give up on a server that says nothing: its own limits help only while it runs."""
        async with asyncio.timeout(self._patience) as limit:

            def limited(conn: Connection) -> T:
                conn.info[_LIMIT] = (limit, self._patience)
                return unit(conn)

            return await super()._run(how, limited)

    def _retriable(self, error: DBAPIError) -> bool:
        return code_of(error.orig) in RETRIABLE

    def _translate(self, error: DBAPIError) -> Exception:
        return translated(error)


def _allow_more_time(conn: Connection, *_: object) -> None:
    """The limit is each statement's, not the unit's."""
    limit, patience = conn.info.get(_LIMIT, (None, 0.0))
    if limit is not None:
        limit.reschedule(asyncio.get_running_loop().time() + patience)


def run_alone(url: URL, unit: Callable[[Connection], T]) -> T:
    """Run `unit` on a connection that no other call shares, outside any event loop (for migrations).

    Raises:
        DatabaseUnavailable: the server cannot be reached, or refuses us, or another one has not ended for `LOCK_SECONDS`.
    """
    engine = mysql_engine(url, {"init_command": BASICS + _QUIET}, poolclass=NullPool)

    def alone() -> T:
        with engine.begin() as conn:
            if conn.execute(text(f"SELECT GET_LOCK({_LOCK}, {LOCK_SECONDS})")).scalar() != 1:
                raise DatabaseUnavailable("another migration of this database has not ended yet")
            return unit(conn)  # the lock ends with the connection

    return _outside(engine, alone)


def migrate(url: URL, unit: Callable[[Connection], T]) -> T:
    """As `run_alone`, for changes of the schema, which commit statement by statement here.

    Raises:
        SchemaHalfChanged: it stopped half-way; the message says what to do.
    """

    def change(conn: Connection) -> T:
        _choose_collation(conn)
        progress = Progress(conn)
        try:
            result = unit(conn)
        except Exception as error:
            if progress.under_way and not isinstance(error, SchemaHalfChanged):
                raise SchemaHalfChanged(f"{unfinished(progress.under_way)}. What stopped it: {error}") from error
            raise
        progress.finish()
        return result

    return run_alone(url, change)


def extend(url: URL, unit: Callable[[Connection], T]) -> T:
    """As `run_alone`, for additions to the schema that whoever runs them again finds done: nothing is counted.

    Raises:
        SchemaHalfChanged: a migration waits to be finished first.
    """

    def add(conn: Connection) -> T:
        if done := half_done(conn):
            raise SchemaHalfChanged(unfinished(done))
        _choose_collation(conn)
        return unit(conn)

    return run_alone(url, add)


def _choose_collation(conn: Connection) -> None:
    """Text compares byte by byte, trailing blanks too, as on the other databases; new tables take it from here."""
    wanted = conn.execute(
        text(f"SELECT collation_name FROM information_schema.collations WHERE {_BYTEWISE}")  # noqa: S608 - a constant
    ).scalar_one()
    if conn.execute(text("SELECT @@collation_database")).scalar() != wanted:
        conn.exec_driver_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {wanted}")


def _outside(engine: Engine, work: Callable[[], T]) -> T:
    async def run() -> T:
        try:
            return await greenlet_spawn(work)
        except DBAPIError as error:
            raise translated(error) from error
        except ABSENT as error:
            raise DatabaseUnavailable from error
        finally:
            await greenlet_spawn(engine.dispose)

    return asyncio.run(run())
