"""Mishaps that somebody ordered on a sandbox's page: armed, taken once for each call they hit, gone when used up."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """An armed mishap.

    `kind` and `on_call` are words of the sandbox ("any" is every call); `remaining` counts the hits that are left (None:
    no end), `until_ms` is the time (milliseconds since 1970) at which it ends.
    """

    id: int
    kind: str
    on_call: str
    code: str | None
    seconds: float | None
    remaining: int | None
    until_ms: int | None


def arm(
    connection: sqlite3.Connection,
    kind: str,
    on_call: str,
    *,
    code: str | None = None,
    seconds: float | None = None,
    times: int | None = None,
    until_ms: int | None = None,
) -> None:
    """Let it happen to the next `times` calls (None: to all), until `until_ms` at the latest."""
    connection.execute(
        "INSERT INTO faults (kind, on_call, code, seconds, remaining, until_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (kind, on_call, code, seconds, times, until_ms),
    )


def take(connection: sqlite3.Connection, kind: str, call: str, now_ms: int) -> Fault | None:
    """The oldest armed fault of that kind for this call, used up by one."""
    row = connection.execute(
        "SELECT * FROM faults WHERE kind = ? AND on_call IN (?, 'any') AND (until_ms IS NULL OR until_ms > ?) "
        "ORDER BY id LIMIT 1",
        (kind, call, now_ms),
    ).fetchone()
    if row is None:
        return None
    connection.execute("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
    connection.execute("DELETE FROM faults WHERE id = ? AND remaining <= 0", (row["id"],))
    return Fault(**row)


def armed(connection: sqlite3.Connection, now_ms: int) -> list[Fault]:
    """Everything that may still happen, oldest first."""
    rows = connection.execute("SELECT * FROM faults WHERE until_ms IS NULL OR until_ms > ? ORDER BY id", (now_ms,))
    return [Fault(**row) for row in rows.fetchall()]


def disarm(connection: sqlite3.Connection, fault_id: int | None = None) -> None:
    """Take back one fault, or all."""
    connection.execute("DELETE FROM faults WHERE ? IS NULL OR id = ?", (fault_id, fault_id))
