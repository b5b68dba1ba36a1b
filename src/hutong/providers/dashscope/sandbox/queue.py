"""The vendor's line of tasks: taken in order, one claim each, moved by compare-and-set under a lease."""

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hutong.providers.dashscope.sandbox import admission
from hutong.providers.dashscope.sandbox.ports import Box
from hutong.providers.dashscope.sandbox.settings import Limits
from hutong.sandbox import faults

Status = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]
FINISHED: tuple[Status, ...] = ("SUCCEEDED", "FAILED", "CANCELED")
LONGEST_RUN_MS = 3 * 3600 * 1000
"""The vendor fails a task that did not finish in three hours."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for when it created a task."""

    task_id: str
    request_id: str
    image_url: str
    image_path: str
    driven_id: str
    face_bbox: Box
    ext_bbox: Box


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stands; times in milliseconds since 1970."""

    seq: int
    id: str
    request_id: str
    image_url: str
    image_path: str
    driven_id: str
    face_bbox: Box
    ext_bbox: Box
    repeat: int
    """How many tasks for this picture and template there were, this one included."""
    status: Status
    code: str | None
    message: str | None
    submit_ms: int
    not_before_ms: int
    scheduled_ms: int | None
    end_ms: int | None
    running_ms: int
    """Least time in RUNNING."""
    fail_code: str | None
    """Ordered failure."""
    hang: bool
    runner: str | None
    lease_ms: int | None
    attempts: int
    seconds: float | None
    """Length of the video."""
    link_expires: int | None
    """Seconds since 1970, as the link says it."""
    link_dead: bool
    forgotten: bool

    @property
    def billed_seconds(self) -> int:
        """Whole seconds on the bill; the vendor gives an integer and does not say how it rounds."""
        return max(1, math.ceil(self.seconds or 0))


@dataclass(frozen=True, slots=True)
class Submitted:
    """`lost`: the client must not hear of the task."""

    task_id: str
    lost: bool


def submit(connection: sqlite3.Connection, order: Order, defaults: Limits, now_ms: int) -> Submitted:
    """Put a task at the end of the line, with whatever was ordered to happen to it."""
    now = admission.limits(connection, defaults)
    delay = faults.take(connection, "delay", "create", now_ms)
    fail = faults.take(connection, "fail", "create", now_ms)
    hang = faults.take(connection, "hang", "create", now_ms)
    running = now.running_seconds + (delay.seconds or 0 if delay else 0)
    values = {
        "id": order.task_id,
        "request_id": order.request_id,
        "image_url": order.image_url,
        "image_path": order.image_path,
        "driven_id": order.driven_id,
        "face_bbox": json.dumps(order.face_bbox),
        "ext_bbox": json.dumps(order.ext_bbox),
        "repeat": _repeat(connection, order),
        "status": "PENDING",
        "submit_ms": now_ms,
        "not_before_ms": now_ms + int(now.pending_seconds * 1000),
        "running_ms": int(running * 1000),
        "fail_code": fail.code if fail else None,
        "hang": hang is not None,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO tasks ({names}) VALUES ({marks})", values)  # noqa: S608 - names are written above
    admission.count(connection, "accepted")
    return Submitted(order.task_id, faults.take(connection, "lose", "create", now_ms) is not None)


def find(connection: sqlite3.Connection, task_id: str) -> Task | None:
    row = connection.execute("SELECT * FROM tasks WHERE id = ?", (task_id,)).fetchone()
    return None if row is None else _task(row)


def cancel(connection: sqlite3.Connection, task_id: str, now_ms: int) -> bool:
    """Take a PENDING task out of the line; False when it is not PENDING."""
    return _moved(
        connection,
        "UPDATE tasks SET status = 'CANCELED', end_ms = ? WHERE id = ? AND status = 'PENDING'",
        now_ms,
        task_id,
    )


def has_work(connection: sqlite3.Connection, now_ms: int) -> bool:
    """Whether a claim could succeed, or a task is overdue; cheap, for the runner's idle rounds."""
    found = connection.execute(
        "SELECT 1 FROM tasks WHERE (status = 'PENDING' AND not_before_ms <= :now) "
        "OR (status = 'RUNNING' AND ((hang = 0 AND lease_ms <= :now) OR scheduled_ms <= :overdue)) LIMIT 1",
        {"now": now_ms, "overdue": now_ms - LONGEST_RUN_MS},
    )
    return found.fetchone() is not None


def claim(connection: sqlite3.Connection, runner: str, lease_ms: int, defaults: Limits, now_ms: int) -> Task | None:
    """The task that `runner` works on next: one whose runner died, else the first in line if a place is free."""
    _time_out(connection, now_ms)
    orphan = connection.execute(
        "SELECT id FROM tasks WHERE status = 'RUNNING' AND hang = 0 AND lease_ms <= ? ORDER BY seq LIMIT 1", (now_ms,)
    ).fetchone()
    chosen = orphan or _next_in_line(connection, admission.limits(connection, defaults), now_ms)
    if chosen is None:
        return None
    connection.execute(
        "UPDATE tasks SET status = 'RUNNING', runner = ?, lease_ms = ?, attempts = attempts + 1, "
        "scheduled_ms = coalesce(scheduled_ms, ?) WHERE id = ?",
        (runner, now_ms + lease_ms, now_ms, chosen["id"]),
    )
    return find(connection, chosen["id"])


def renew(connection: sqlite3.Connection, task_id: str, runner: str, until_ms: int) -> bool:
    """A sign of life; False when the task is no longer this runner's."""
    return _moved(
        connection,
        "UPDATE tasks SET lease_ms = ? WHERE id = ? AND runner = ? AND status = 'RUNNING' AND hang = 0",
        until_ms,
        task_id,
        runner,
    )


def succeed(
    connection: sqlite3.Connection, task_id: str, runner: str, seconds: float, link_seconds: int, now_ms: int
) -> bool:
    """RUNNING → SUCCEEDED, if it is still this runner's; the link's life begins."""
    return _moved(
        connection,
        "UPDATE tasks SET status = 'SUCCEEDED', seconds = ?, end_ms = ?, link_expires = ?, runner = NULL, "
        "lease_ms = NULL WHERE id = ? AND runner = ? AND status = 'RUNNING' AND hang = 0",
        seconds,
        now_ms,
        now_ms // 1000 + link_seconds,
        task_id,
        runner,
    )


def fail(connection: sqlite3.Connection, task_id: str, runner: str, code: str, message: str, now_ms: int) -> bool:
    """RUNNING → FAILED, if it is still this runner's."""
    return _moved(
        connection,
        "UPDATE tasks SET status = 'FAILED', code = ?, message = ?, end_ms = ?, runner = NULL, lease_ms = NULL "
        "WHERE id = ? AND runner = ? AND status = 'RUNNING' AND hang = 0",
        code,
        message,
        now_ms,
        task_id,
        runner,
    )


def mark(connection: sqlite3.Connection, task_id: str, what: Literal["link_dead", "forgotten", "hang"]) -> bool:
    """Kill the link of a finished task, forget a task (UNKNOWN from now on), or let a RUNNING one hang."""
    where = {"link_dead": "status = 'SUCCEEDED'", "forgotten": "1", "hang": "status IN ('PENDING', 'RUNNING')"}[what]
    return _moved(connection, f"UPDATE tasks SET {what} = 1 WHERE id = ? AND {where}", task_id)  # noqa: S608 - closed set


def let_go(connection: sqlite3.Connection, task_id: str) -> bool:
    """End a task's hanging; the next runner that looks takes it."""
    return _moved(connection, "UPDATE tasks SET hang = 0, lease_ms = 0 WHERE id = ? AND hang = 1", task_id)


def latest(connection: sqlite3.Connection, limit: int) -> list[Task]:
    """The newest tasks first."""
    rows = connection.execute("SELECT * FROM tasks ORDER BY seq DESC LIMIT ?", (limit,)).fetchall()
    return [_task(row) for row in rows]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Number of tasks in each status."""
    rows = connection.execute("SELECT status, count(*) AS tasks FROM tasks GROUP BY status").fetchall()
    return {row["status"]: row["tasks"] for row in rows}


def repeats(connection: sqlite3.Connection) -> list[dict[str, object]]:
    """How many tasks were created for each picture and template; clearing the list leaves these counters alone."""
    rows = connection.execute("SELECT image_path, driven_id, creates FROM repeats ORDER BY rowid").fetchall()
    return [dict(row) for row in rows]


def clear(connection: sqlite3.Connection, finished_before_ms: int) -> list[str]:
    """Drop the tasks that were finished by then; the answer names them, for their files."""
    rows = connection.execute("SELECT id FROM tasks WHERE end_ms <= ?", (finished_before_ms,)).fetchall()
    connection.execute("DELETE FROM tasks WHERE end_ms <= ?", (finished_before_ms,))
    return [row["id"] for row in rows]


def page_of(
    connection: sqlite3.Connection, conditions: Sequence[tuple[str, object]], offset: int, limit: int
) -> tuple[int, list[Task]]:
    """Tasks that meet all `conditions` (SQL text with one mark, value), newest first, and how many there are."""
    where = " AND ".join(text for text, _ in conditions) or "1"
    values = [value for _, value in conditions]
    total = connection.execute(f"SELECT count(*) FROM tasks WHERE {where}", values).fetchone()[0]  # noqa: S608 - ours
    query = f"SELECT * FROM tasks WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608 - same texts
    return total, [_task(row) for row in connection.execute(query, [*values, limit, offset]).fetchall()]


def _next_in_line(connection: sqlite3.Connection, now: Limits, now_ms: int) -> sqlite3.Row | None:
    running = connection.execute("SELECT count(*) FROM tasks WHERE status = 'RUNNING'").fetchone()[0]
    if running >= now.running_limit:
        return None
    found: sqlite3.Row | None = connection.execute(
        "SELECT id FROM tasks WHERE status = 'PENDING' AND not_before_ms <= ? ORDER BY seq LIMIT 1", (now_ms,)
    ).fetchone()
    return found


def _time_out(connection: sqlite3.Connection, now_ms: int) -> None:
    connection.execute(
        "UPDATE tasks SET status = 'FAILED', code = 'InternalError.Timeout', message = ?, end_ms = ?, runner = NULL "
        "WHERE status = 'RUNNING' AND scheduled_ms <= ?",
        ("An internal timeout error has occured, please try again later.", now_ms, now_ms - LONGEST_RUN_MS),
    )


def _repeat(connection: sqlite3.Connection, order: Order) -> int:
    row = connection.execute(
        "INSERT INTO repeats (image_path, driven_id, creates) VALUES (?, ?, 1) "
        "ON CONFLICT DO UPDATE SET creates = creates + 1 RETURNING creates",
        (order.image_path, order.driven_id),
    ).fetchone()
    return int(row["creates"])


def _moved(connection: sqlite3.Connection, statement: str, *values: object) -> bool:
    return connection.execute(statement, values).rowcount == 1


def _task(row: sqlite3.Row) -> Task:
    x1, y1, x2, y2 = json.loads(row["face_bbox"])
    left, top, right, bottom = json.loads(row["ext_bbox"])
    flags = {name: bool(row[name]) for name in ("hang", "link_dead", "forgotten")}
    return Task(**{**dict(row), **flags, "face_bbox": (x1, y1, x2, y2), "ext_bbox": (left, top, right, bottom)})
