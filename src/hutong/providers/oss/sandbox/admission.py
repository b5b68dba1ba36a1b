"""Mishaps before a call is carried out, and the counters behind the page."""

import sqlite3
from dataclasses import dataclass

from hutong.providers.oss.sandbox.objects import CALLS, Call
from hutong.sandbox import faults

KEPT_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Orders:
    """What was ordered for one call: to wait, to refuse it with a code, to lose its answer."""

    wait: float
    code: str | None
    lose: bool


def orders(conn: sqlite3.Connection, call: Call, now_ms: int) -> Orders:
    """The mishaps that this call meets; each is used up by one."""
    slow = faults.take(conn, "slow", call, now_ms)
    wait = slow.seconds or 0.0 if slow is not None else 0.0
    answer = faults.take(conn, "answer", call, now_ms)
    if answer is not None:
        return Orders(wait, answer.code, lose=False)
    return Orders(wait, None, lose=faults.take(conn, "lose", call, now_ms) is not None)


def record(conn: sqlite3.Connection, call: Call, key: str, status: int, code: str, now_ms: int) -> None:
    """Count a call, and keep it for the page."""
    for name in (call, "refused") if code else (call,):
        conn.execute(
            "INSERT INTO totals (call, calls) VALUES (?, 1) ON CONFLICT (call) DO UPDATE SET calls = calls + 1", (name,)
        )
    conn.execute(
        "INSERT INTO requests (at_ms, call, key, status, code) VALUES (?, ?, ?, ?, ?)",
        (now_ms, call, key[:200], status, code),
    )
    conn.execute("DELETE FROM requests WHERE seq <= (SELECT max(seq) FROM requests) - ?", (KEPT_REQUESTS,))


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """How often each call came since the file was made; `refused` counts those that were not carried out."""
    found = {row["call"]: row["calls"] for row in conn.execute("SELECT * FROM totals").fetchall()}
    return {name: found.get(name, 0) for name in (*CALLS, "refused")}


def latest(conn: sqlite3.Connection, limit: int) -> list[dict[str, object]]:
    """The calls that came last."""
    rows = conn.execute("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", (limit,)).fetchall()
    return [dict(row) for row in rows]
