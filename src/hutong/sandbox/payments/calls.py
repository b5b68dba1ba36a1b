"""Mishaps of the calls that a merchant makes, and the counters behind the page. Runs inside a transaction of the state."""

import sqlite3
from dataclasses import dataclass

from hutong.sandbox import faults

KEPT_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Orders:
    """What was ordered for one call: to wait, never to answer, to refuse it with a code, to lose its answer."""

    wait: float
    hang: bool
    code: str | None
    lose: bool


def orders(conn: sqlite3.Connection, call: str, now_ms: int) -> Orders:
    """The mishaps that this call meets; each is used up by one."""
    slow = faults.take(conn, "slow", call, now_ms)
    wait = slow.seconds or 0.0 if slow is not None else 0.0
    if faults.take(conn, "hang", call, now_ms) is not None:
        return Orders(wait, hang=True, code=None, lose=False)
    answer = faults.take(conn, "answer", call, now_ms)
    if answer is not None:
        return Orders(wait, hang=False, code=answer.code, lose=False)
    return Orders(wait, hang=False, code=None, lose=faults.take(conn, "lose", call, now_ms) is not None)


def record(conn: sqlite3.Connection, call: str, order_no: str, status: int, code: str, now_ms: int) -> None:
    """Count a call, and keep it for the page."""
    count(conn, call)
    if code:
        count(conn, "refused")
    conn.execute(
        "INSERT INTO requests (at_ms, call, order_no, status, code) VALUES (?, ?, ?, ?, ?)",
        (now_ms, call, order_no[:64], status, code),
    )
    conn.execute("DELETE FROM requests WHERE seq <= (SELECT max(seq) FROM requests) - ?", (KEPT_REQUESTS,))


def count(conn: sqlite3.Connection, name: str) -> None:
    """One more of something."""
    conn.execute(
        "INSERT INTO totals (name, times) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET times = times + 1", (name,)
    )


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """How often each thing happened since the book was emptied.

    Beside the calls: `refused` (calls not carried out), `delivered` and `unacknowledged` (notices), `swallowed` (deliveries
    that were forged, stale or foreign, and that the receiver acknowledged all the same).
    """
    return {row["name"]: row["times"] for row in conn.execute("SELECT * FROM totals").fetchall()}


def latest(conn: sqlite3.Connection, limit: int) -> list[dict[str, object]]:
    """The calls that came last."""
    rows = conn.execute("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", (limit,)).fetchall()
    return [dict(row) for row in rows]
