"""Units of work. A transaction is one short synchronous function over a SQLAlchemy `Connection`.

Being synchronous, it cannot call a vendor or wait on a socket of its own. Source: DESIGN §2.1.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hutong.kernel.db.statements import NamedStatement
from hutong.kit.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")
WRITE_ATTEMPTS = 6
_HOOKS = "hutong.after_commit"


class DatabaseUnavailable(Unavailable):
    """The database does not answer; try again shortly."""

    code = "db.unavailable"


class DatabaseRefused(DatabaseUnavailable):
    """The database lets us in no more; its operator has to look at name, user, password and rights."""

    code = "db.refused"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a database can do, asked by feature and never by name."""

    row_locks: bool
    update_returning: bool
    one_trip_writes: bool
    """Whether a hot statement may change several tables in one trip to the server."""


class Database(ABC):
    """One database, whatever its dialect."""

    capabilities: Capabilities

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(conn, …)` in one transaction, commit, and return what it returned.

        The function may run again if the database reports a serialization failure or a deadlock, so it must have no
        effects but its statements.

        Raises:
            DatabaseUnavailable: the server cannot be reached, or refuses us.
        """
        result, hooks = await self._persist(lambda: self._transact(lambda conn: work(conn, *args, **kwargs)))
        for hook in hooks:
            hook()
        return result

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(conn, …)`, which only reads, and return what it returned.

        Raises:
            DatabaseUnavailable: the server cannot be reached, or refuses us.
        """
        try:
            return await self._query(lambda conn: work(conn, *args, **kwargs))
        except DBAPIError as error:
            raise self._translate(error) from error

    async def ping(self) -> None:
        """Raise unless the database answers."""
        await self.read(lambda conn: conn.execute(text("SELECT 1")).scalar_one())

    @abstractmethod
    async def hot(self, statement: NamedStatement, **params: Any) -> Sequence[tuple[Any, ...]]:
        """Run one self-contained statement on the raw driver, in a transaction of its own, and return its rows."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection."""

    @abstractmethod
    async def _transact(self, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]: ...

    @abstractmethod
    async def _query(self, unit: Callable[[Connection], T]) -> T: ...

    @abstractmethod
    def _retriable(self, error: DBAPIError) -> bool: ...

    @abstractmethod
    def _translate(self, error: DBAPIError) -> Exception:
        """`DatabaseUnavailable` or `DatabaseRefused` where the driver says so, else the error itself."""

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run one transaction, again and again while it only lost a conflict."""
        for number in range(1, WRITE_ATTEMPTS + 1):
            try:
                return await attempt()
            except DBAPIError as error:
                if number == WRITE_ATTEMPTS or not self._retriable(error):
                    raise self._translate(error) from error
            await asyncio.sleep(random.uniform(0, 0.01 * 2**number))
        raise AssertionError("unreachable")


def after_commit(conn: Connection, hook: Callable[[], None]) -> None:
    """Call `hook` on the event loop once the transaction of `conn` has committed; never if it rolls back.

    Hooks are for hints that may get lost (ringing a doorbell, dropping a cache entry), nothing that must happen.
    """
    conn.info.setdefault(_HOOKS, []).append(hook)


def run_unit(conn: Connection, unit: Callable[[Connection], T]) -> tuple[T, list[Callable[[], None]]]:
    """Run `unit` with a fresh list of hooks, for the dialects' engines."""
    hooks: list[Callable[[], None]] = []
    conn.info[_HOOKS] = hooks
    return unit(conn), hooks
