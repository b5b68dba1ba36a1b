"""A sandbox's memory: one SQLite file that several processes may share, reached in one hop to one thread."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from hutong.kit.clock import Clock, epoch_ms

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[sqlite3.Connection, P], T]

COMMON = """
CREATE TABLE faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, on_call TEXT NOT NULL, code TEXT, seconds REAL,
    remaining INTEGER, until_ms INTEGER
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
OPEN_TRIES = 50


class State:
    """Runs short functions over the database, each in one transaction; several processes may do so at once.

    Args:
        path: the file; made when it is first needed.
        clock: the sandbox's time.
        schema: the vendor's own tables; those of `COMMON` come on top.
        version: of the schema; a file of another version is emptied.
    """

    def __init__(self, path: Path, clock: Clock, schema: str, version: int) -> None:
        self.clock = clock
        self._path = path
        self._schema = schema
        self._version = version
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-sandbox")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def now_ms(self) -> int:
        return epoch_ms(self.clock.now())

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(connection, …)` in a transaction that sees one moment."""
        return await self._hop(lambda: self._transaction("BEGIN", work, *args, **kwargs))

    async def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(connection, …)` in a transaction that excludes every other writer."""
        return await self._hop(lambda: self._transaction("BEGIN IMMEDIATE", work, *args, **kwargs))

    async def close(self) -> None:
        """Close the file; the object cannot be used again."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown()

    async def _hop(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _transaction(self, begin: str, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        connection = self._connection or self._open()
        connection.execute(begin)
        try:
            result = work(connection, *args, **kwargs)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return result

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        try:
            _set_up(connection, self._schema, self._version)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def fact(connection: sqlite3.Connection, name: str) -> str | None:
    """A value kept under a name."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row["value"])


def keep_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


def link_secret(connection: sqlite3.Connection) -> str:
    """A key for signing links, made once per file."""
    secret = fact(connection, "link_secret")
    if secret is None:
        raise RuntimeError("the sandbox database was not set up")
    return secret


def _set_up(connection: sqlite3.Connection, schema: str, version: int) -> None:
    _to_wal(connection)
    # No fsync: a killed process loses nothing, and what a power cut would lose is only a sandbox's.
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != version:
            _create_anew(connection, schema, version)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _create_anew(connection: sqlite3.Connection, schema: str, version: int) -> None:
    """Tables of another version are dropped: a sandbox's past is worth no migration."""
    old = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (name,) in connection.execute(old).fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    for statement in (COMMON + schema).split(";"):
        if statement.strip():
            connection.execute(statement)
    keep_fact(connection, "link_secret", secrets.token_hex(32))
    connection.execute(f"PRAGMA user_version={version}")


def _to_wal(connection: sqlite3.Connection) -> None:
    """Changing the journal mode ignores the busy time-out, so two processes that start together must try again."""
    for left in reversed(range(OPEN_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(0.05)
        else:
            return
