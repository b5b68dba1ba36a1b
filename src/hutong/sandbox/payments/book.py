"""The vendor's book: trades and refunds, and how they move. Every function runs inside a transaction of the state.

Vendors translate the exceptions into their own codes.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

WAITING, PAID, CLOSED = "waiting", "paid", "closed"
PROCESSING, DONE, FAILED = "processing", "done", "failed"


class BookRefused(Exception):
    """The book does not allow it."""


class NoSuchTrade(BookRefused):
    """There is no such trade."""


class TradeClosed(BookRefused):
    """The trade is closed."""


class TradePaid(BookRefused):
    """The trade is paid."""


class TradeUnpaid(BookRefused):
    """The trade is not paid, so nothing can be given back."""


class TooMuch(BookRefused):
    """That is more than is left of the payment."""


class RefundDiffers(BookRefused):
    """There is a refund of that number already, and it was another one."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One order of a merchant at the vendor.

    Args:
        order_no: the merchant's.
        amount: asked for, in minor units of `currency`.
        way: how it is paid (the vendor's word).
        payer: the customer's id at the vendor, once known.
        created_ms, expires_ms: from when on, and until when it can be paid.
        facts: what else the vendor keeps of it.
        state: WAITING, PAID or CLOSED.
        transaction_id, paid_amount, paid_ms: of the payment, once PAID.
    """

    order_no: str
    amount: int
    currency: str
    description: str
    way: str
    payer: str | None
    notify_url: str
    created_ms: int
    expires_ms: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: str = WAITING
    transaction_id: str | None = None
    paid_amount: int | None = None
    paid_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back: PROCESSING until `due_ms`, then DONE, or FAILED if `fails`. `refund_id` is the vendor's number."""

    refund_no: str
    refund_id: str
    order_no: str
    amount: int
    reason: str
    notify_url: str
    state: str
    fails: int
    created_ms: int
    due_ms: int
    done_ms: int | None = None


# Trades


def find(conn: sqlite3.Connection, order_no: str, now_ms: int) -> Trade | None:
    """A trade as it is now: one whose time is over without payment is CLOSED."""
    conn.execute(
        "UPDATE trades SET state = 'closed' WHERE order_no = ? AND state = 'waiting' AND expires_ms <= ?",
        (order_no, now_ms),
    )
    row = conn.execute("SELECT * FROM trades WHERE order_no = ?", (order_no,)).fetchone()
    return None if row is None else _trade(row)


def get(conn: sqlite3.Connection, order_no: str, now_ms: int) -> Trade:
    """A trade as it is now.

    Raises:
        NoSuchTrade.
    """
    trade = find(conn, order_no, now_ms)
    if trade is None:
        raise NoSuchTrade
    return trade


def by_transaction(conn: sqlite3.Connection, transaction_id: str) -> Trade | None:
    """The trade that a payment belongs to."""
    row = conn.execute("SELECT * FROM trades WHERE transaction_id = ?", (transaction_id,)).fetchone()
    return None if row is None else _trade(row)


def add(conn: sqlite3.Connection, trade: Trade) -> None:
    """Write down a new trade, WAITING."""
    conn.execute(
        "INSERT INTO trades (order_no, amount, currency, description, way, payer, notify_url, created_ms, expires_ms, facts, "
        "state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
        (
            *(trade.order_no, trade.amount, trade.currency, trade.description, trade.way, trade.payer),
            *(trade.notify_url, trade.created_ms, trade.expires_ms, orjson.dumps(trade.facts).decode()),
        ),
    )


def keep_facts(conn: sqlite3.Connection, order_no: str, facts: Mapping[str, Any]) -> None:
    """Replace what the vendor keeps of a trade."""
    conn.execute("UPDATE trades SET facts = ? WHERE order_no = ?", (orjson.dumps(facts).decode(), order_no))


def pay(
    conn: sqlite3.Connection,
    order_no: str,
    now_ms: int,
    transaction_id: str,
    *,
    amount: int | None = None,
    payer: str | None = None,
    late: bool = False,
) -> Trade:
    """The customer pays `amount` (the asked one when left out); `late` lets a closed trade be paid, which no vendor should.

    Raises:
        NoSuchTrade, TradePaid, TradeClosed.
    """
    trade = get(conn, order_no, now_ms)
    if trade.state == PAID:
        raise TradePaid
    if trade.state == CLOSED and not late:
        raise TradeClosed
    conn.execute(
        "UPDATE trades SET state = 'paid', transaction_id = ?, paid_amount = ?, paid_ms = ?, payer = coalesce(?, payer) "
        "WHERE order_no = ?",
        (transaction_id, trade.amount if amount is None else amount, now_ms, payer, order_no),
    )
    return get(conn, order_no, now_ms)


def close(conn: sqlite3.Connection, order_no: str, now_ms: int) -> Trade:
    """Nobody can pay any more; closing again changes nothing.

    Raises:
        NoSuchTrade, TradePaid.
    """
    if get(conn, order_no, now_ms).state == PAID:
        raise TradePaid
    conn.execute("UPDATE trades SET state = 'closed' WHERE order_no = ?", (order_no,))
    return get(conn, order_no, now_ms)


def latest(conn: sqlite3.Connection, limit: int, now_ms: int, order_no: str | None = None) -> list[Trade]:
    """The trades that were opened last, or the one of that number."""
    conn.execute("UPDATE trades SET state = 'closed' WHERE state = 'waiting' AND expires_ms <= ?", (now_ms,))
    rows = conn.execute(
        "SELECT * FROM trades WHERE ? IS NULL OR order_no = ? ORDER BY created_ms DESC, order_no LIMIT ?",
        (order_no, order_no, limit),
    )
    return [_trade(row) for row in rows.fetchall()]


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """Trades by state."""
    rows = conn.execute("SELECT state, count(*) AS times FROM trades GROUP BY state").fetchall()
    found = {row["state"]: row["times"] for row in rows}
    return {state: found.get(state, 0) for state in (WAITING, PAID, CLOSED)}


# Refunds


def refund(conn: sqlite3.Connection, wanted: Refund, now_ms: int) -> Refund:
    """Take a refund in hand; the same number again is the same refund.

    Args:
        wanted: its `state` and `done_ms` are what they are from the beginning (a vendor that refunds at once says DONE).

    Raises:
        NoSuchTrade, TradeUnpaid, TooMuch, RefundDiffers.
    """
    trade = get(conn, wanted.order_no, now_ms)
    known = find_refund(conn, wanted.refund_no)
    if known is not None:
        if (known.order_no, known.amount) != (wanted.order_no, wanted.amount):
            raise RefundDiffers
        return known
    if trade.state != PAID or trade.paid_amount is None:
        raise TradeUnpaid
    if wanted.amount > trade.paid_amount - refunded(conn, wanted.order_no):
        raise TooMuch
    conn.execute(
        "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(wanted.refund_no, wanted.refund_id, wanted.order_no, wanted.amount, wanted.reason, wanted.notify_url),
            *(wanted.state, wanted.fails, wanted.created_ms, wanted.due_ms, wanted.done_ms),
        ),
    )
    return wanted


def find_refund(conn: sqlite3.Connection, refund_no: str) -> Refund | None:
    row = conn.execute("SELECT * FROM refunds WHERE refund_no = ?", (refund_no,)).fetchone()
    return None if row is None else Refund(**row)


def refunds_of(conn: sqlite3.Connection, order_no: str) -> Sequence[Refund]:
    """All refunds of a trade, oldest first."""
    rows = conn.execute("SELECT * FROM refunds WHERE order_no = ? ORDER BY created_ms, refund_no", (order_no,))
    return [Refund(**row) for row in rows.fetchall()]


def refunded(conn: sqlite3.Connection, order_no: str) -> int:
    """What went back of a trade, or is on its way."""
    query = "SELECT coalesce(sum(amount), 0) FROM refunds WHERE order_no = ? AND state <> 'failed'"
    return int(conn.execute(query, (order_no,)).fetchone()[0])


def settle_refunds(conn: sqlite3.Connection, now_ms: int) -> Sequence[Refund]:
    """End the refunds whose time has come; those that ended now."""
    due = conn.execute("SELECT refund_no FROM refunds WHERE state = 'processing' AND due_ms <= ?", (now_ms,)).fetchall()
    conn.execute(
        "UPDATE refunds SET state = CASE WHEN fails THEN 'failed' ELSE 'done' END, done_ms = ? "
        "WHERE state = 'processing' AND due_ms <= ?",
        (now_ms, now_ms),
    )
    ended = (find_refund(conn, row["refund_no"]) for row in due)
    return [each for each in ended if each is not None]


def empty(conn: sqlite3.Connection) -> None:
    """Forget everything."""
    for table in ("trades", "refunds", "notices", "requests", "totals"):
        conn.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own


def _trade(row: sqlite3.Row) -> Trade:
    return Trade(**{**row, "facts": orjson.loads(row["facts"])})
