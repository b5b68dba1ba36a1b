"""MariaDB's and MySQL's driver: connections, what each starts with, errors by number."""

import asyncio
import math
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from asyncmy.connection import Connection as Raw
from asyncmy.errors import Error as DriverError
from asyncmy.errors import InterfaceError as DriverInterfaceError
from asyncmy.errors import InternalError as DriverInternalError
from asyncmy.errors import OperationalError as DriverOperationalError
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from hutong.kernel.db.database import WRITE_ATTEMPTS, DatabaseRefused, DatabaseUnavailable
from hutong.kernel.db.dialects.pooled import Driver

RETRIABLE = frozenset({1020, 1205, 1213})
"""A row changed under a snapshot, a lock was waited for too long, a deadlock."""
UNREACHABLE = frozenset(
    {1021, 1040, 1041, 1042, 1047, 1053, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1290, 1317, 1836, 1927, 4031}
    | {1969, 3024}  # a statement took too long: MariaDB, MySQL
    | {2002, 2003, 2005, 2006, 2013, 2055}  # the client's own words for a server that is not there or went away
)
REFUSED = frozenset({1044, 1045, 1049, 1130, 1142, 1227, 1698, 2059})
"""Who we are, where we come from, which database we ask for, what we may do there."""
LOST = 2013
OUT_OF_STEP = 2014
"""What arrives is no answer to what was asked; the driver says this with a number or, as an internal error, without."""
STUMBLES = (RuntimeError, AttributeError, IndexError, struct.error)
"""What the driver lets through when a server hangs up while it greets: a socket that is gone, half a packet."""
VIOLATED_CHECK = frozenset({3819, 4025})
"""A CHECK constraint: MySQL, MariaDB. The driver takes them for operational errors."""
GRACE_SECONDS = 1.0
BASICS = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET time_zone = '+00:00', sql_mode = 'TRADITIONAL'"


class AsyncmyDriver(Driver[Raw]):
    """Raw asyncmy connections; each statement is a transaction of its own unless it says BEGIN.

    Args:
        words: of `asyncmy.connect`.
        patience: seconds after which a server that says nothing is given up.
    """

    def __init__(self, words: Mapping[str, Any], patience: float) -> None:
        self._words = dict(words)
        self._patience = patience

    async def connect(self) -> Raw:
        try:
            async with asyncio.timeout(self._patience):
                return await greeted(**self._words)
        except DriverError as error:
            raise translated(wrapped("CONNECT", error)) from error

    def is_closed(self, conn: Raw) -> bool:
        return not conn.connected or bool(cast(Any, conn)._stream_broken)  # noqa: SLF001 - as the driver's own pool asks

    def terminate(self, conn: Raw) -> None:
        conn.close()

    async def close(self, conn: Raw) -> None:
        await conn.ensure_closed()

    def is_broken(self, error: Exception) -> bool:
        return has_gone(error) or isinstance(error, OSError)


async def greeted(**words: Any) -> Raw:
    """A new connection, as `asyncmy.connect` makes it.

    Raises:
        asyncmy.errors.Error: the server cannot be reached, hung up, or refuses us.
    """
    conn: Raw = cast(Any, Raw)(**words)
    try:
        await conn.connect()
    except STUMBLES as error:
        conn.close()
        raise DriverOperationalError(LOST, f"the server hung up while it greeted ({error})") from error
    except BaseException:  # a caller who gives up as well: the driver would leave the socket open
        conn.close()
        raise
    return conn


def mysql_engine(url: URL, words: Mapping[str, Any], **options: Any) -> Engine:
    """An engine whose errors have the classes that they have on other databases."""
    options = {"max_overflow": 0, "pool_use_lifo": True, **options} if "poolclass" not in options else options
    words = {**words, "async_creator_fn": greeted}
    engine = create_async_engine(url.set(drivername="mysql+asyncmy"), connect_args=words, **options).sync_engine
    event.listen(engine, "handle_error", _classify)
    return engine


def session_words(timeout: float) -> str:
    """What every connection starts with.

    The lock wait is short so that all attempts of a unit of work together take about `timeout`. `M!` comments are read
    by MariaDB only, `!50708` by MySQL only, which has no limit but for SELECT.
    """
    lock_wait = max(1, round(timeout / WRITE_ATTEMPTS))
    return (
        f"{BASICS}, innodb_lock_wait_timeout = {lock_wait}"
        f" /*M! , max_statement_time = {timeout} */ /*!50708 , max_execution_time = {math.ceil(timeout * 1000)} */"
    )


async def fetch(conn: Raw, sql: str, args: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
    cursor = conn.cursor()
    await cursor.execute(sql, args)
    rows = await cursor.fetchall() if cursor.description else ()
    while await cursor.nextset():
        rows = await cursor.fetchall() if cursor.description else rows
    return cast(Sequence[tuple[Any, ...]], rows)


def plain(params: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    """Raw parameters in order, moments as `UtcTime` stores them here."""
    return tuple(_moment(params[name]) for name in names)


def _moment(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _classify(context: ExceptionContext) -> Exception | None:
    error = context.original_exception
    if isinstance(error, DriverInternalError) and has_gone(error):  # the others SQLAlchemy knows
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
    if code_of(error) in VIOLATED_CHECK:
        return IntegrityError(context.statement, context.parameters, error)
    return None


def wrapped(sql: str, error: DriverError) -> DBAPIError:
    """A driver's error in SQLAlchemy's form as everywhere else."""
    if code_of(error) in VIOLATED_CHECK:
        return IntegrityError(sql, None, error)
    return cast(DBAPIError, DBAPIError.instance(sql, None, error, DriverError))


def translated(error: DBAPIError) -> Exception:
    """What an error of SQLAlchemy's means to a caller; itself when nothing special."""
    if code_of(error.orig) in REFUSED:
        return DatabaseRefused(retry_after=1)
    if error.connection_invalidated or has_gone(error.orig):
        return DatabaseUnavailable(retry_after=1)
    return error


def has_gone(error: BaseException | None) -> bool:
    """Whether a driver's error says that there is no server, or that nothing can be said on this connection any more."""
    code = code_of(error)
    if isinstance(error, DriverInternalError):
        return code in {0, OUT_OF_STEP}
    return isinstance(error, DriverInterfaceError) or (
        isinstance(error, DriverError) and code in UNREACHABLE | {OUT_OF_STEP}
    )


def code_of(error: BaseException | None) -> int:
    code = error.args[0] if error is not None and error.args else 0
    return code if isinstance(code, int) else 0
