"""Changes of the schema on databases that commit every CREATE and ALTER at once: how far a change got, and going on there.

Every statement of a change that is not finished is counted in a table, with a digest of all so far. After a failure the
same change skips what is counted; other statements than the first time are refused. Source: ADR 0011.
"""

import hashlib
from typing import Any

from sqlalchemy import Connection, event, text

from hutong.kit.errors import HutongError

TABLE = "hutong_half_done"
REVISIONS = "alembic_version"
READS = ("SELECT", "SHOW", "SET", "DO", "DESCRIBE", "EXPLAIN")
SCHEMA_WORDS = ("CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE")


class SchemaHalfChanged(HutongError):
    """A change of the schema stopped half-way."""

    code = "db.schema_half_changed"


class Progress:
    """Counts the statements of schema changes on one connection, and skips those that an earlier try has done."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._done, self._digest = _earlier(conn)
        self._kept = self._done > 0
        self._at, self._now = 0, ""
        self._busy = False
        event.listen(conn, "before_cursor_execute", self._before, retval=True)
        event.listen(conn, "after_cursor_execute", self._after)

    @property
    def under_way(self) -> int:
        """Statements that are done of a change that is not."""
        return max(self._done, self._at)

    def finish(self) -> None:
        """Everything is done: forget the count.

        Raises:
            SchemaHalfChanged: an earlier change still waits to be finished.
        """
        if self.under_way:
            raise SchemaHalfChanged(unfinished(self.under_way))
        if self._kept:
            self._own(f"DROP TABLE {TABLE}")

    def _before(
        self, _conn: Connection, _cursor: object, statement: str, params: Any, _context: object, _many: bool
    ) -> tuple[str, Any]:
        if self._busy or not _counts(statement):
            return statement, params
        self._now = hashlib.sha256(f"{self._now}\n{statement}".encode()).hexdigest()
        if self._at >= self._done:
            return statement, params
        if self._at + 1 == self._done and self._now != self._digest:
            raise SchemaHalfChanged(f"{unfinished(self._done)}; these are other statements than the first time")
        return "DO 0", ()

    def _after(
        self, _conn: Connection, _cursor: object, statement: str, _params: Any, _context: object, _many: bool
    ) -> None:
        if self._busy:
            return
        if REVISIONS in statement and not _is(statement, READS + SCHEMA_WORDS):
            self._step_ended()
        elif statement == "DO 0":
            self._at += 1
        elif _counts(statement):
            self._at += 1
            self._note(commit=_is(statement, SCHEMA_WORDS))

    def _note(self, *, commit: bool) -> None:
        """Rows go into the transaction of the change's own rows; after a CREATE there is none to go into."""
        if not self._kept:
            self._own(f"CREATE TABLE IF NOT EXISTS {TABLE} (id INT PRIMARY KEY, done INT, digest CHAR(64))")
            self._kept = True
        self._own(f"REPLACE INTO {TABLE} VALUES (1, {self._at}, '{self._now}')")  # noqa: S608 - a number and a digest
        if commit:
            self._own("COMMIT")

    def _step_ended(self) -> None:
        """Alembic wrote down the revision: this step is whole."""
        if self._at < self._done:
            raise SchemaHalfChanged(f"{unfinished(self._done)}; this is another change")
        if self._kept:
            self._own(f"DELETE FROM {TABLE}")  # noqa: S608 - a constant
        self._own("COMMIT")
        self._done, self._digest, self._at, self._now = 0, "", 0, ""

    def _own(self, statement: str) -> None:
        self._busy = True
        try:
            self._conn.exec_driver_sql(statement)
        finally:
            self._busy = False


def half_done(conn: Connection) -> int:
    """How many statements are done of a change that waits to be finished; 0 when none does."""
    return _earlier(conn)[0]


def _earlier(conn: Connection) -> tuple[int, str]:
    known = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = :name"
    if not conn.execute(text(known), {"name": TABLE}).scalar_one():
        return 0, ""
    row = conn.execute(text(f"SELECT done, digest FROM {TABLE}")).first()  # noqa: S608 - a constant
    return (int(row.done), str(row.digest)) if row else (0, "")


def unfinished(done: int) -> str:
    """What to tell the operator."""
    return (
        f"a change of the schema stopped after {done} of its statements, which this database cannot take back; repair the"
        " cause and run the same command of the same version again: it goes on there"
    )


def _counts(statement: str) -> bool:
    return REVISIONS not in statement and not _is(statement, READS)


def _is(statement: str, words: tuple[str, ...]) -> bool:
    return statement.lstrip().upper().startswith(words)
