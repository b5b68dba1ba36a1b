"""Mishaps that somebody ordered on the page: armed, taken once for each call or task they hit, gone when used up."""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from hutong.providers.dashscope.sandbox.ports import Call

Kind = Literal["delay", "fail", "hang", "lose", "answer", "key", "refuse", "lie"]
"""delay, fail, hang: what happens to a new task; lose: the answer; answer, key: an error instead; refuse: a detect; lie:
an answer that is not true."""
Moment = Call | Literal["result", "video"]
"""When a fault may be taken: at a call, at the query of a task that has ended, at the download of a video."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An armed mishap.

    `on_call` is a `Moment` or "any"; `remaining` counts the hits that are left (None: no end), `until_ms` is the time
    (milliseconds since 1970) at which it ends.
    """

    id: int
    kind: Kind
    on_call: Moment | Literal["any"]
    code: str | None
    seconds: float | None
    remaining: int | None
    until_ms: int | None


def arm(
    connection: sqlite3.Connection,
    kind: Kind,
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


def take(connection: sqlite3.Connection, kind: Kind, call: Moment, now_ms: int) -> Fault | None:
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
