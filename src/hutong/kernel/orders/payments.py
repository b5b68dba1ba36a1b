"""Payments: what a vendor says was paid becomes a row once, and moves its order in the same transaction.

Source: reference/identity_orders.md §5.2, the table of events; O06 to O09.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from hutong.kernel.db import after_commit, insert_if_absent
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import refunds, repository
from hutong.kernel.orders.ports import Money, Payment
from hutong.kernel.orders.repository import Office, OrderRow, Why
from hutong.kernel.orders.rules import Expected, LatePolicy, Verdict, judge, masked
from hutong.kernel.orders.tables import OrderStatus, Purpose, Review, order_payments

PaymentRow = Row[Any]
GOES_BACK = "This payment was not needed and goes back"
_log = logger("orders.payments")


class Applied(StrEnum):
    """What became of a report; also the metrics' labels."""

    PAID = "paid"
    LATE = "late"
    SECOND = "second"
    MISMATCHED = "mismatched"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    UNKNOWN = "unknown"
    REFUND = "refund"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Report:
    """A payment as a channel tells it, in a notice or in the answer to a query.

    Args:
        channel: its name.
        payment: verified by the channel.
        event_id: of the notice; None for a query.
    """

    channel: str
    payment: Payment
    event_id: str | None = None


def apply(conn: Connection, office: Office, realm: str, report: Report, late_payment: LatePolicy) -> Applied:
    """Record a payment and move its order; one that is known already changes nothing."""
    payment = report.payment
    order = repository.lock(conn, payment.order_no)
    if order is None or order.realm != realm:
        return Applied.UNKNOWN
    known = find(conn, report.channel, payment.transaction_id)
    if known is not None:
        return _known(conn, order, known, report, office.clock.now())
    verdict = judge(_expected(order), report.channel, payment, late_payment)
    now = office.clock.now()
    row = _row(office, report, verdict.purpose, now)
    if not insert_if_absent(conn, order_payments, row):  # told of another order at this very moment
        return _known(conn, order, None, report, now)
    order = _move(conn, order, verdict, report, now)
    _follow(conn, office, order, verdict, int(row["id"]), payment)
    return _APPLIED[verdict.purpose]


_APPLIED = {
    Purpose.SETTLING: Applied.PAID,
    Purpose.LATE: Applied.LATE,
    Purpose.SECOND: Applied.SECOND,
    Purpose.MISMATCHED: Applied.MISMATCHED,
}


def find(conn: Connection, channel: str, transaction_id: str) -> PaymentRow | None:
    """A payment by its vendor's number."""
    mine = (order_payments.c.channel == channel, order_payments.c.transaction_id == transaction_id)
    return conn.execute(select(order_payments).where(*mine)).first()


def list_payments(conn: Connection, order_no: str) -> list[PaymentRow]:
    """All that was paid for an order, the first first."""
    mine = select(order_payments).where(order_payments.c.order_no == order_no)
    return list(conn.execute(mine.order_by(order_payments.c.id)))


def _known(conn: Connection, order: OrderRow, known: PaymentRow | None, report: Report, now: datetime) -> Applied:
    """A transaction pays for one order only: told of another, it is a lie or a mistake, and nothing moves."""
    if known is not None and known.order_no == order.order_no:
        return Applied.DUPLICATE
    if order.review is not Review.TRANSACTION_REUSED:
        why = Why("channel", "transaction of another order", report.payment.transaction_id)
        repository.move(conn, order, order.status, why, now, {"review": Review.TRANSACTION_REUSED})
        _shout(conn, "a transaction was told of two orders", order, report)
    return Applied.REUSED


def _expected(order: OrderRow) -> Expected:
    money = Money(order.amount, order.currency)
    return Expected(order.status, money, order.channel, order.expires_at, order.payer)


def _row(office: Office, report: Report, purpose: Purpose, now: datetime) -> dict[str, Any]:
    payment = report.payment
    return {
        "id": office.ids(),
        "order_no": payment.order_no,
        "channel": report.channel,
        "transaction_id": payment.transaction_id,
        "purpose": purpose,
        "amount": payment.money.amount,
        "currency": payment.money.currency,
        "refunded": 0,
        "reserved": 0,
        "payer": masked(payment.payer),
        "paid_at": payment.paid_at,
        "recorded_at": now,
    }


def _move(conn: Connection, order: OrderRow, verdict: Verdict, report: Report, now: datetime) -> OrderRow:
    values: dict[str, Any] = {"review": verdict.review} if verdict.review else {}
    if verdict.to is OrderStatus.PAID:
        values["paid_at"] = report.payment.paid_at
    if verdict.review is not None:
        _shout(conn, f"a payment needs a look: {verdict.review.value}", order, report)
    elif verdict.purpose is not Purpose.SETTLING:
        after_commit(conn, lambda: _log.warning("a payment goes back", order=order.order_no, cause=verdict.cause))
    why = Why("channel", verdict.cause, report.event_id or report.payment.transaction_id)
    return repository.move(conn, order, verdict.to or order.status, why, now, values)


def _follow(
    conn: Connection, office: Office, order: OrderRow, verdict: Verdict, payment_id: int, payment: Payment
) -> None:
    """A payment that was accepted is fulfilled; any other goes back."""
    if verdict.purpose is Purpose.SETTLING:
        office.enqueue(conn, order, "fulfil")
    elif payment.money.amount > 0:
        wish = refunds.Wish(None, GOES_BACK, f"back:{payment.transaction_id}", "job")
        refunds.request(conn, office, order, payment_id, wish)


def _shout(conn: Connection, event: str, order: OrderRow, report: Report) -> None:
    """For the one who is on call."""
    wanted = {"order": order.order_no, "amount": order.amount, "currency": order.currency}
    money = report.payment.money
    told = {"channel": report.channel, "told_amount": money.amount, "told_currency": money.currency}
    after_commit(conn, lambda: _log.error(event, **wanted, **told))
