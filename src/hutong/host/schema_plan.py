"""How a database differs from the tables in the code, and which differences can be made good without touching a row.

Alembic finds the differences. Safe: a table, a column that may be empty or has a fixed default, an index that is not unique.
Everything else is held back with what to do about it. Source: contracts/storefront.md; docs/decisions/0020-schema-sync.md.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from sqlalchemy import Column, Connection, DefaultClause, MetaData, inspect

from hutong.host.migrations import OPTIONS

REVISIONS = "alembic_version"
_FIXED = re.compile(r"\s*(?:-?\d+(?:\.\d+)?|'(?:[^']|'')*'|true|false|null)\s*", re.IGNORECASE)
_WRITE = "write a migration (docs/kernel/db.md)"
_GONE = (
    f"the code knows it no more: if it was renamed, {_WRITE}, or its values stay behind; if not, drop it in a migration once "
    "no process uses it"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One safe addition; two that are about the same thing are equal.

    Args:
        what: `create table`, `add column` or `create index`.
        table, name: what it is about; no name when it is the table itself.
        sql: the statements, as they will run.
        operation: what Alembic runs.
    """

    what: str
    table: str
    name: str | None
    sql: Sequence[str] = field(compare=False)  # constraints come in any order
    operation: ops.MigrateOperation = field(compare=False)

    def __str__(self) -> str:
        return f"{self.what} {self.table}{f'.{self.name}' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One difference that is never made good by itself.

    Args:
        what: the difference, as in `drop column`.
        table, name: what it is about.
        advice: why not, and what to do.
    """

    what: str
    table: str
    name: str | None
    advice: str

    def __str__(self) -> str:
        return f"{self.what} {self.table}{f'.{self.name}' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All differences at one moment.

    Args:
        steps: the safe ones, in an order in which they can run.
        held_back: the others.
        foreign: tables of others, which are left alone.
        revision: what Alembic knows this database to be at, if it looks after it.
        fresh: there is none of our tables yet, and Alembic knows nothing.
    """

    steps: Sequence[Step]
    held_back: Sequence[HeldBack]
    foreign: Sequence[str]
    revision: str | None
    fresh: bool

    @property
    def drifted(self) -> bool:
        """Whether there is any difference."""
        return bool(self.steps or self.held_back)


def look(conn: Connection, target: MetaData) -> Plan:
    """Compare the database of `conn` with `target`."""
    context = MigrationContext.configure(conn, opts=OPTIONS | {"target_metadata": target, "include_object": _is_ours})
    there = set(inspect(conn).get_table_names())
    revision = context.get_current_revision() if REVISIONS in there else None
    sorter = _Sorter(conn, target)
    found = produce_migrations(context, target).upgrade_ops
    for operation in _flat(found.ops if found is not None else []):
        sorter.sort(operation)
    foreign = sorted(there - set(target.tables) - {REVISIONS})
    fresh = REVISIONS not in there and not there & set(target.tables)
    return Plan(sorter.steps, sorter.held_back, foreign, revision, fresh)


def run(conn: Connection, target: MetaData, step: Step) -> None:
    """Make one addition."""
    Operations(MigrationContext.configure(conn, opts={"target_metadata": target})).invoke(step.operation)


class _Sorter:
    """Sorts operations into steps and what is held back, in the order in which they come."""

    def __init__(self, conn: Connection, target: MetaData) -> None:
        self._dialect, self._target = conn.dialect, target
        self._created: set[str] = set()
        self._missing: set[tuple[str, str]] = set()
        self._dropped: set[str] = set()
        self.steps: list[Step] = []
        self.held_back: list[HeldBack] = []

    def sort(self, operation: ops.MigrateOperation) -> None:
        """Put one operation where it belongs."""
        if isinstance(operation, ops.CreateTableOp):
            self._created.add(operation.table_name)
            self._step("create table", operation.table_name, None, operation)
        elif isinstance(operation, ops.AddColumnOp):
            self._column(operation)
        elif isinstance(operation, ops.CreateIndexOp):
            self._index(operation)
        else:
            held = _held_back(operation)
            if isinstance(operation, ops.DropIndexOp):
                self._dropped.add(str(operation.index_name))
            self.held_back.append(held)

    def _column(self, operation: ops.AddColumnOp) -> None:
        table, column = operation.table_name, operation.column
        if (advice := _unsafe_column(column)) is None:
            self._step("add column", table, column.name, ops.AddColumnOp(table, _bare(column)))
            return
        self._missing.add((table, column.name))
        self.held_back.append(HeldBack("add column", table, column.name, advice))

    def _index(self, operation: ops.CreateIndexOp) -> None:
        table, name = operation.table_name, str(operation.index_name)
        if (advice := self._unsafe_index(operation)) is None:
            self._step("create index", table, name, operation)
        else:
            self.held_back.append(HeldBack("create index", table, name, advice))

    def _unsafe_index(self, operation: ops.CreateIndexOp) -> str | None:
        """Why an index cannot be made over the rows that are there; None when it can."""
        table = operation.table_name
        names = [str(column.name) for column in operation.to_index().columns]
        if lacking := [name for name in names if (table, name) in self._missing]:
            return f"it needs {', '.join(lacking)}, which was held back"
        if operation.index_name in self._dropped:
            return f"an index of this name is there and differs; {_WRITE}"
        if operation.unique and table not in self._created:
            return f"rows that are there may repeat; look for them, then {_WRITE}"
        return None

    def _step(self, what: str, table: str, name: str | None, operation: ops.MigrateOperation) -> None:
        self.steps.append(Step(what, table, name, self._statements(operation), operation))

    def _statements(self, operation: ops.MigrateOperation) -> Sequence[str]:
        """What the operation will say to this kind of database."""
        out = io.StringIO()
        options = {"as_sql": True, "output_buffer": out, "target_metadata": self._target}
        Operations(MigrationContext.configure(dialect=self._dialect, opts=options)).invoke(operation)
        return [statement.strip() for statement in out.getvalue().split(";\n") if statement.strip()]


def _is_ours(item: Any, name: str | None, kind: str, reflected: bool, counterpart: Any) -> bool:
    """Whether a part of the schema is compared: a table that no code of ours knows is somebody else's."""
    return not (kind == "table" and reflected and counterpart is None)


def _flat(operations: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """Every single operation; what goes before what comes, so that a changed index is known as one."""
    single = [
        each
        for operation in operations
        for each in (operation.ops if isinstance(operation, ops.ModifyTableOps) else [operation])
    ]
    order = (ops.CreateTableOp, ops.DropIndexOp, ops.AddColumnOp)
    yield from sorted(single, key=lambda each: order.index(type(each)) if type(each) in order else len(order))


def _bare(column: Column[Any]) -> Column[Any]:
    """A column without its index and references, which come as operations of their own."""
    return Column(
        column.name, column.type, nullable=column.nullable, server_default=column.server_default, comment=column.comment
    )


def _unsafe_column(column: Column[Any]) -> str | None:
    """Why a column cannot be added to rows that are there; None when it can."""
    if column.computed is not None or column.identity is not None or column.primary_key:
        return f"its values would have to be made for the rows that are there; {_WRITE}"
    default = column.server_default
    if default is None and not column.nullable:
        return f"rows that are there would have no value; give it a server_default, or {_WRITE}"
    return None if default is None or _is_fixed(default) else f"its default is computed; {_WRITE}"


def _is_fixed(default: Any) -> bool:
    """Whether a server default is one value, and nothing that is computed."""
    if not isinstance(default, DefaultClause):
        return False
    return isinstance(default.arg, str) or _FIXED.fullmatch(str(getattr(default.arg, "text", default.arg))) is not None


_ADVICE: Mapping[type[ops.MigrateOperation], tuple[str, str]] = {
    ops.DropColumnOp: ("drop column", _GONE),
    ops.DropIndexOp: ("drop index", f"the code knows it no more; {_WRITE}"),
    ops.DropConstraintOp: ("drop constraint", f"the code knows it no more; {_WRITE}"),
    ops.CreateUniqueConstraintOp: ("add unique", f"rows that are there may repeat; look for them, then {_WRITE}"),
    ops.CreateForeignKeyOp: (
        "add foreign key",
        f"rows that are there may point to nothing; look for them, then {_WRITE}",
    ),
    ops.DropTableOp: ("drop table", f"the code knows it no more; {_WRITE}"),
}


def _held_back(operation: ops.MigrateOperation) -> HeldBack:
    if isinstance(operation, ops.AlterColumnOp):
        return HeldBack("alter column", operation.table_name, operation.column_name, _alteration(operation))
    what, advice = _ADVICE.get(type(operation), (type(operation).__name__, _WRITE))
    names = ("column_name", "index_name", "constraint_name")
    name = next((str(found) for each in names if (found := getattr(operation, each, None))), None)
    table = getattr(operation, "table_name", None) or getattr(operation, "source_table", "")
    return HeldBack(what, str(table), name, advice)


def _alteration(operation: ops.AlterColumnOp) -> str:
    """What differs of a column."""
    found = []
    if operation.modify_type is not None:
        found.append(f"it is {operation.existing_type!r}, the code says {operation.modify_type!r}")
    if operation.modify_nullable is not None:
        found.append(f"the code says {'NULL' if operation.modify_nullable else 'NOT NULL'}")
    if operation.modify_server_default is not False:
        found.append("its default differs")
    if operation.modify_comment is not False:
        found.append("its comment differs")
    return f"{'; '.join(found)}; {_WRITE}"
