"""The verbs that every dialect module implements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    DateTime,
    Row,
    Select,
    String,
    Table,
    Text,
    Update,
    update,
)
from sqlalchemy.sql.schema import Column

if TYPE_CHECKING:
    from hutong.kernel.db.statements import NamedStatement


class Ran(NamedTuple):
    """What a raw statement came to: its rows, and how many rows it found (to change, or as its result)."""

    rows: Sequence[Any]
    found: int


class DialectSupport(ABC):
    """One database's way to say the named statements."""

    now_sql: str
    moment = DateTime()
    """The type of a moment with microseconds; its `timezone` says whether the driver wants it aware."""
    long_text: String = Text()
    """The type of a text that may have 16 MiB."""

    @abstractmethod
    def now_plus_sql(self, seconds: str) -> str:
        """SQL of the database's clock plus `seconds` (SQL of a number)."""

    @abstractmethod
    def insert_if_absent(self, conn: Connection, table: Table, values: Mapping[str, Any]) -> bool: ...

    @abstractmethod
    def upsert(
        self, conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
    ) -> None: ...

    @abstractmethod
    def run_raw(self, conn: Connection, statement: "NamedStatement", params: Mapping[str, Any]) -> Ran:
        """Run one statement on the raw driver, inside a unit of work."""

    @staticmethod
    def _ran(result: CursorResult[Any]) -> Ran:
        if result.returns_rows:
            rows = result.all()
            return Ran(rows, len(rows))
        return Ran((), result.rowcount)

    def claim_rows(self, conn: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
        return conn.execute(query.with_for_update(skip_locked=True)).all()

    def add_within(
        self,
        conn: Connection,
        column: ColumnElement[int],
        where: ColumnElement[bool],
        delta: int,
        lowest: int,
        also: Mapping[str, Any],
    ) -> int | None:
        row = conn.execute(self._guarded(column, where, delta, lowest, also).returning(column)).first()
        return None if row is None else int(row[0])

    @staticmethod
    def _guarded(
        column: ColumnElement[int], where: ColumnElement[bool], delta: int, lowest: int, also: Mapping[str, Any]
    ) -> Update:
        if not isinstance(column, Column) or column.table is None:
            raise TypeError("add_within needs a column of a table")
        changed = update(column.table).where(where, column + delta >= lowest)
        return changed.values({column.key: column + delta, **also})
