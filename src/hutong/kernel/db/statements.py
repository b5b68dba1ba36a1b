"""The named statements: what every database can do, but each in its own words. Source: DESIGN §2.8.

MySQL and MariaDB have no UPDATE … RETURNING, SQLite has no row locks; callers need not know.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from hutong.kernel.db.dialects import named, support
from hutong.kernel.db.types import UtcTime

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True)
class NamedStatement:
    """Hand-written SQL for the hottest paths, run on the raw driver.

    Args:
        name: dotted, as in `credits.balance`.
        sql: text by dialect name, with `:name` parameters; `default` serves the others. `{now}` stands for the database's
            clock, `{later}` for that plus the parameter `:seconds`.
    """

    name: str
    sql: Mapping[str, str]
    _texts: dict[str, str] = field(default_factory=dict, compare=False)
    _positional: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict, compare=False)

    def text(self, dialect: str) -> str:
        """The SQL with named parameters."""
        found = self._texts.get(dialect)
        if found is None:
            words, sql = named(dialect), self.sql.get(dialect) or self.sql["default"]
            clock = sql.replace("{now}", words.now_sql).replace("{later}", words.now_plus_sql(":seconds"))
            found = self._texts[dialect] = clock
        return found

    def positional(self, dialect: str, *, numbered: bool) -> tuple[str, tuple[str, ...]]:
        """The SQL with `$1`-style (numbered) or `%s`-style parameters, and the parameters' names in order."""
        found = self._positional.get(dialect)
        if found is None:
            place = _numbered if numbered else _in_order
            found = self._positional[dialect] = place(self.text(dialect))
        return found

    def run(self, conn: Connection, **params: Any) -> Sequence[Any]:
        """Run inside a unit of work and return the rows (empty for a statement that returns none)."""
        return support(conn).run_raw(conn, self, params).rows

    def change(self, conn: Connection, **params: Any) -> int:
        """Run inside a unit of work and return how many rows it found."""
        return support(conn).run_raw(conn, self, params).found


@dataclass(frozen=True)
class NamedSteps:
    """One move in hand-written SQL that some databases say in one statement and others in several.

    Args:
        name: dotted, as in `quotas.reserve`.
        sql: the statements by dialect name, as those of `NamedStatement`; `default` serves the others.
    """

    name: str
    sql: Mapping[str, Sequence[str]]
    _statements: dict[str, tuple[NamedStatement, ...]] = field(default_factory=dict, compare=False)

    def run(self, conn: Connection, **params: Any) -> Sequence[Any] | None:
        """Run the steps inside a unit of work and return the last one's rows.

        None when a step found no row: the steps after it were left out, and what those before it did stands.
        """
        words = support(conn)
        rows: Sequence[Any] = ()
        for statement in self._of(conn.dialect.name):
            rows, found = words.run_raw(conn, statement, params)
            if not found:
                return None
        return rows

    def _of(self, dialect: str) -> tuple[NamedStatement, ...]:
        found = self._statements.get(dialect)
        if found is None:
            texts = self.sql.get(dialect) or self.sql["default"]
            made = (NamedStatement(f"{self.name}.{number}", {dialect: sql}) for number, sql in enumerate(texts))
            found = self._statements[dialect] = tuple(made)
        return found


def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    names = list(dict.fromkeys(_PARAMETER.findall(sql)))
    return _PARAMETER.sub(lambda hit: f"${names.index(hit[1]) + 1}", sql), tuple(names)


def _in_order(sql: str) -> tuple[str, tuple[str, ...]]:
    sql = sql.replace("%", "%%")
    return _PARAMETER.sub("%s", sql), tuple(_PARAMETER.findall(sql))


class utc_now(FunctionElement[Any]):  # noqa: N801 - reads as an SQL function
    """The database's own clock, for leases: worker clocks may differ."""

    type = UtcTime()
    inherit_cache = True
    seconds: float = 0.0


class now_plus(FunctionElement[Any]):  # noqa: N801 - reads as an SQL function
    """The database's clock plus `seconds`, a bind parameter."""

    type = UtcTime()
    inherit_cache = True


@compiles(utc_now)
def _compile_now(element: utc_now, compiler: SQLCompiler, **kw: Any) -> str:
    return support(compiler.dialect).now_sql


@compiles(now_plus)
def _compile_now_plus(element: now_plus, compiler: SQLCompiler, **kw: Any) -> str:
    return support(compiler.dialect).now_plus_sql(compiler.process(element.clauses, **kw))


def insert_if_absent(conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert one row unless a unique key already holds it. Returns whether it was inserted."""
    return support(conn).insert_if_absent(conn, table, values)


def upsert(
    conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any], update: Mapping[str, Any]
) -> None:
    """Insert one row, or change the row that has the same `key` columns by `update` (values or expressions)."""
    support(conn).upsert(conn, table, key, values, update)


def claim_rows(conn: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    """The rows of `query`, locked until the transaction ends; rows that others hold are passed over, not waited for."""
    return support(conn).claim_rows(conn, query)


def add_within(
    conn: Connection,
    column: ColumnElement[int],
    where: ColumnElement[bool],
    delta: int,
    *,
    lowest: int = 0,
    also: Mapping[str, Any] | None = None,
) -> int | None:
    """Add `delta` to an integer column of one row unless the result would fall below `lowest`.

    Args:
        conn: the unit of work.
        column: the column to change; its table is the one updated.
        where: names the row.
        delta: signed.
        lowest: the bound.
        also: other columns to set in the same UPDATE.

    Returns:
        The new value, or None when the row is missing or the bound refuses.
    """
    return support(conn).add_within(conn, column, where, delta, lowest, also or {})
