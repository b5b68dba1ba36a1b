"""Notices that wait to be delivered, and the mishaps ordered for them. Runs inside a transaction of the state."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from hutong.sandbox import faults

PAYMENT, REFUND = "payment", "refund"
HELD_MS = 60_000
"""A held notice goes out after that time, even if no other came that could overtake it."""
ON = "notice"
"""The word that mishaps of notices are armed for."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, delivered until it is acknowledged.

    Args:
        seq: in order of making.
        id: the vendor's; each delivery has the same.
        event: PAYMENT or REFUND.
        transaction_id, amount: what it says, in minor units; of the payment or of the refund.
        copies: how many are sent at once.
        attempts: deliveries so far.
        state: `waiting`, `sending`, `delivered` or `given up`.
        last_status: HTTP status of the last answer, 0 if there was none.
        last_twist: what was wrong with the last delivery.
    """

    seq: int
    id: str
    event: str
    order_no: str
    refund_no: str | None
    transaction_id: str
    amount: int
    url: str
    created_ms: int
    due_ms: int
    copies: int
    held: int
    attempts: int
    state: str
    last_status: int | None
    last_twist: str | None


def add(
    conn: sqlite3.Connection,
    notice_id: str,
    event: str,
    order_no: str,
    *,
    transaction_id: str,
    amount: int,
    url: str,
    now_ms: int,
    refund_no: str | None = None,
) -> None:
    """Let a notice go out, as late, as often and in the order that somebody asked for."""
    delay = faults.take(conn, "delay", ON, now_ms)
    copies = faults.take(conn, "duplicate", ON, now_ms)
    held = faults.take(conn, "reorder", ON, now_ms) is not None
    due_ms = now_ms + int(1000 * (delay.seconds or 0.0)) if delay is not None else now_ms
    conn.execute(
        "INSERT INTO notices (id, event, order_no, refund_no, transaction_id, amount, url, created_ms, due_ms, copies, held, "
        "attempts, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting')",
        (
            *(notice_id, event, order_no, refund_no, transaction_id, amount, url, now_ms),
            *(due_ms + HELD_MS if held else due_ms, int(copies.code or 1) if copies is not None else 1, held),
        ),
    )


def next_due(conn: sqlite3.Connection) -> int | None:
    """When the next delivery is due, or an interrupted one may be taken over."""
    found = conn.execute("SELECT min(due_ms) FROM notices WHERE state IN ('waiting', 'sending')").fetchone()[0]
    return None if found is None else int(found)


def claim(conn: sqlite3.Connection, now_ms: int, lease_ms: int, limit: int) -> Sequence[Notice]:
    """Take due deliveries in hand; whoever dies over them is succeeded after `lease_ms`."""
    rows = conn.execute(
        "SELECT * FROM notices WHERE state IN ('waiting', 'sending') AND due_ms <= ? ORDER BY due_ms, seq LIMIT ?",
        (now_ms, limit),
    ).fetchall()
    for row in rows:
        conn.execute("UPDATE notices SET state = 'sending', due_ms = ? WHERE seq = ?", (now_ms + lease_ms, row["seq"]))
    return [Notice(**row) for row in rows]


def twist_of(conn: sqlite3.Connection, twists: Sequence[str], now_ms: int) -> str | None:
    """What is to be wrong with the next delivery."""
    return next((twist for twist in twists if faults.take(conn, twist, ON, now_ms) is not None), None)


def delivered(conn: sqlite3.Connection, notice: Notice, status: int, twist: str | None) -> None:
    """It was acknowledged; those that were held back for it follow now."""
    conn.execute(
        "UPDATE notices SET state = 'delivered', attempts = attempts + 1, last_status = ?, last_twist = ? WHERE seq = ?",
        (status, twist, notice.seq),
    )
    release(conn)


def postpone(conn: sqlite3.Connection, notice: Notice, status: int, twist: str | None, due_ms: int | None) -> None:
    """It was not acknowledged: again at `due_ms`, or never. A probe is no attempt."""
    counts = twist != "probe"
    conn.execute(
        "UPDATE notices SET state = ?, due_ms = ?, attempts = attempts + ?, last_status = ?, last_twist = ? WHERE seq = ?",
        ("given up" if due_ms is None else "waiting", due_ms or 0, counts, status, twist, notice.seq),
    )
    release(conn)


def release(conn: sqlite3.Connection) -> None:
    """Let go what was held back."""
    conn.execute("UPDATE notices SET held = 0, due_ms = created_ms WHERE held = 1 AND state = 'waiting'")


def hurry(conn: sqlite3.Connection, now_ms: int) -> None:
    """Whatever waits is due now."""
    conn.execute("UPDATE notices SET held = 0, due_ms = ? WHERE state = 'waiting'", (now_ms,))


def again(conn: sqlite3.Connection, order_no: str, copies: int, now_ms: int) -> bool:
    """Send the newest notice of a trade once more, `copies` at once; False if it has none."""
    newest = "SELECT max(seq) FROM notices WHERE order_no = ?"
    changed = conn.execute(
        f"UPDATE notices SET state = 'waiting', due_ms = ?, copies = ?, held = 0, attempts = 0 WHERE seq = ({newest})",  # noqa: S608
        (now_ms, copies, order_no),
    )
    return changed.rowcount == 1


def latest(conn: sqlite3.Connection, limit: int, order_no: str | None = None) -> list[Notice]:
    """The newest notices, or those of one trade."""
    rows = conn.execute(
        "SELECT * FROM notices WHERE ? IS NULL OR order_no = ? ORDER BY seq DESC LIMIT ?", (order_no, order_no, limit)
    )
    return [Notice(**row) for row in rows.fetchall()]
