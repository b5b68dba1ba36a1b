"""Whether an API call is let in: ordered errors, rates over all processes, the counters behind the page."""

import json
import sqlite3

from hutong.providers.dashscope.sandbox.ports import CALLS, Call
from hutong.providers.dashscope.sandbox.settings import Limits
from hutong.sandbox import faults
from hutong.sandbox.state import fact, keep_fact

THROTTLED = "Throttling.RateQuota"


def admit(connection: sqlite3.Connection, call: Call, defaults: Limits, now_ms: int) -> str | None:
    """Count a call with a good key; the answer is the vendor's error code that it gets instead of service, or None."""
    for kind in ("key", "answer"):
        fault = faults.take(connection, "key" if kind == "key" else "answer", call, now_ms)
        if fault is not None:
            return fault.code
    if not _within_rate(connection, call, _rate(limits(connection, defaults), call), now_ms):
        return THROTTLED
    count(connection, call)
    return None


def limits(connection: sqlite3.Connection, defaults: Limits) -> Limits:
    """The limits in force: those of the settings, overlaid with what was changed on the page."""
    changed = json.loads(fact(connection, "limits") or "{}")
    return Limits.model_validate(defaults.model_dump(include=set(Limits.model_fields)) | changed)


def change_limits(connection: sqlite3.Connection, changes: dict[str, float]) -> None:
    """Overlay some limits; an empty dict takes all changes back."""
    before = json.loads(fact(connection, "limits") or "{}") if changes else {}
    keep_fact(connection, "limits", json.dumps(before | changes))


def count(connection: sqlite3.Connection, name: str) -> None:
    """One more on a running total."""
    connection.execute(
        "INSERT INTO totals (call, calls) VALUES (?, 1) ON CONFLICT (call) DO UPDATE SET calls = calls + 1", (name,)
    )


def totals(connection: sqlite3.Connection) -> dict[str, int]:
    """How often each call was served since the file was made; `accepted` counts the tasks that were created."""
    found = {row["call"]: row["calls"] for row in connection.execute("SELECT * FROM totals").fetchall()}
    return {name: found.get(name, 0) for name in (*CALLS, "accepted")}


def _rate(now: Limits, call: Call) -> float:
    return {
        "detect": now.detect_per_second,
        "create": now.submit_per_second,
        "query": now.query_per_second,
    }[call]


def _within_rate(connection: sqlite3.Connection, call: Call, per_second: float, now_ms: int) -> bool:
    """A sliding window, the strictest reading of "N per second": no second ever holds more than N calls.

    Calls that are turned away do not count. A rate below one is one call in 1/rate seconds.
    """
    allowed = max(1, int(per_second))
    window_ms = int(1000 * allowed / per_second)
    connection.execute(
        "DELETE FROM hits WHERE call = ? AND (at_ms <= ? OR at_ms > ?)", (call, now_ms - window_ms, now_ms)
    )
    inside = connection.execute("SELECT count(*) FROM hits WHERE call = ?", (call,)).fetchone()[0]
    if inside >= allowed:
        return False
    connection.execute("INSERT INTO hits (call, at_ms) VALUES (?, ?)", (call, now_ms))
    return True
