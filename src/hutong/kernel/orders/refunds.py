"""Refunds: reserved by one guarded UPDATE, asked of the vendor by a job, settled once; never more than was paid.

Source: reference/identity_orders.md §5.2 and O13.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hutong.kernel.db import after_commit
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import repository
from hutong.kernel.orders.errors import OrderNotPaid, RefundKeyReused, RefundRefused, RefundTooLarge
from hutong.kernel.orders.ports import Money, RefundFound, RefundState
from hutong.kernel.orders.repository import Office, OrderRow, Why
from hutong.kernel.orders.rules import FULFILLABLE, standing
from hutong.kernel.orders.tables import OrderStatus, Purpose, RefundStage, Review, order_payments, order_refunds
from hutong.kernel.orders.views import RefundView
from hutong.kit.text import is_printable, shorten

RefundRow = Row[Any]
MAIN = (Purpose.SETTLING, Purpose.LATE)
OPEN = (RefundStage.REQUESTED, RefundStage.PROCESSING)
KEY_LENGTH, REASON_LENGTH = 128, 80
_log = logger("orders.refunds")


@dataclass(frozen=True, slots=True)
class Wish:
    """A refund that somebody wants.

    Args:
        money: None for all that is left.
        reason: shown to the customer, cut to 80 characters.
        key: the same key again is the same refund.
        actor: as in `Why`.
    """

    money: Money | None
    reason: str
    key: str
    actor: str


def find_main(conn: Connection, order_no: str) -> Row[Any] | None:
    """The payment that the order's status speaks of: the one that paid it, or the one that came too late."""
    main = (order_payments.c.order_no == order_no, order_payments.c.purpose.in_(MAIN))
    return conn.execute(select(order_payments).where(*main)).first()


def request(conn: Connection, office: Office, order: OrderRow, payment_id: int, wish: Wish) -> RefundRow:
    """Reserve money of a payment and have a job give it back; `order` is locked.

    Raises:
        RefundTooLarge, RefundRefused, RefundKeyReused: nothing changed.
    """
    _check(wish)
    payment = conn.execute(select(order_payments).where(order_payments.c.id == payment_id)).one()
    money = wish.money or Money(payment.amount - payment.refunded - payment.reserved, payment.currency)
    known = _find_by_key(conn, order.order_no, wish.key)
    if known is not None:
        return _same(known, wish)
    if money.currency != payment.currency:
        raise RefundRefused
    _reserve(conn, payment, money.amount)
    row = _row(office, order, payment_id, money, wish)
    conn.execute(order_refunds.insert().values(**row))
    _count(conn, payment.channel, RefundStage.REQUESTED)
    why = Why(wish.actor, "refund requested", row["refund_no"])
    order = _restate(conn, order, payment_id, why, office)
    task = repository.task_name(order.realm, "refund")
    office.jobs.enqueue_once(conn, task, f"{task}:{row['refund_no']}", {"refund_no": row["refund_no"]})
    return get(conn, str(row["refund_no"]))


def request_main(conn: Connection, office: Office, order: OrderRow, wish: Wish) -> RefundRow:
    """A refund of the payment that paid for the order.

    Raises:
        OrderNotPaid, and as `request`.
    """
    payment = find_main(conn, order.order_no)
    if payment is None:
        raise OrderNotPaid
    return request(conn, office, order, payment.id, wish)


def find(conn: Connection, refund_no: str) -> RefundRow | None:
    """A refund by our number."""
    return conn.execute(select(order_refunds).where(order_refunds.c.refund_no == refund_no)).first()


def get(conn: Connection, refund_no: str) -> RefundRow:
    """A refund that is there."""
    return conn.execute(select(order_refunds).where(order_refunds.c.refund_no == refund_no)).one()


def list_refunds(conn: Connection, order_no: str) -> list[RefundRow]:
    """An order's refunds, the oldest first."""
    mine = select(order_refunds).where(order_refunds.c.order_no == order_no)
    return list(conn.execute(mine.order_by(order_refunds.c.id)))


def start(conn: Connection, refund_no: str) -> None:
    """The vendor is about to be asked: from now on only its word counts."""
    waiting = (order_refunds.c.refund_no == refund_no, order_refunds.c.stage == RefundStage.REQUESTED)
    conn.execute(update(order_refunds).where(*waiting).values(stage=RefundStage.PROCESSING))


def settle(conn: Connection, office: Office, found: RefundFound, event_id: str | None = None) -> bool:
    """Take what the vendor says of a refund; said again it changes nothing. Returns whether there is such a refund."""
    row = find(conn, found.refund_no)
    if row is None:
        return False
    order = repository.lock(conn, row.order_no)
    assert order is not None
    row = get(conn, found.refund_no)  # as it is now that nobody else changes it
    if found.state is RefundState.DONE and row.stage is not RefundStage.DONE:
        _done(conn, office, order, row, found, event_id)
    elif found.state is RefundState.FAILED and row.stage in OPEN:
        _failed(conn, office, order, row, found, event_id)
    elif found.state is RefundState.PROCESSING and row.stage is RefundStage.REQUESTED:
        start(conn, found.refund_no)
    return True


def put_up_for_review(conn: Connection, office: Office, order_no: str, refund_no: str) -> None:
    """The vendor has not decided for too long."""
    order = repository.lock(conn, order_no)
    if order is not None and order.review is None:
        why = Why("job", "refund is slow", refund_no)
        repository.move(conn, order, order.status, why, office.clock.now(), {"review": Review.REFUND_SLOW})


def view(row: RefundRow) -> RefundView:
    """A refund as callers see it."""
    return RefundView(
        refund_no=row.refund_no,
        order_no=row.order_no,
        money=Money(row.amount, row.currency),
        reason=row.reason,
        stage=row.stage,
        failure=row.failure,
        created_at=row.created_at,
    )


def _check(wish: Wish) -> None:
    if not 1 <= len(wish.key) <= KEY_LENGTH or not is_printable(wish.key + wish.reason):
        raise RefundRefused
    if wish.money is not None and (type(wish.money.amount) is not int or wish.money.amount <= 0):
        raise RefundRefused


def _find_by_key(conn: Connection, order_no: str, key: str) -> RefundRow | None:
    same = (order_refunds.c.order_no == order_no, order_refunds.c.refund_key == key)
    return conn.execute(select(order_refunds).where(*same)).first()


def _same(known: RefundRow, wish: Wish) -> RefundRow:
    """The refund of this key; "all that is left" means the same the second time, whatever is left by then."""
    if wish.money is not None and wish.money != Money(known.amount, known.currency):
        raise RefundKeyReused
    return known


def _reserve(conn: Connection, payment: Row[Any], amount: int) -> None:
    columns = order_payments.c
    left = columns.refunded + columns.reserved + amount <= columns.amount
    taken = update(order_payments).where(columns.id == payment.id, left).values(reserved=columns.reserved + amount)
    if amount <= 0 or conn.execute(taken).rowcount != 1:
        raise RefundTooLarge(details={"left": payment.amount - payment.refunded - payment.reserved})


def _row(office: Office, order: OrderRow, payment_id: int, money: Money, wish: Wish) -> dict[str, Any]:
    now = office.clock.now()
    return {
        "id": office.ids(),
        "refund_no": f"r{repository.fresh_number(now)}",
        "order_no": order.order_no,
        "payment_id": payment_id,
        "refund_key": wish.key,
        "amount": money.amount,
        "currency": money.currency,
        "reason": shorten(wish.reason, REASON_LENGTH),
        "stage": RefundStage.REQUESTED,
        "created_at": now,
    }


def _done(
    conn: Connection, office: Office, order: OrderRow, row: RefundRow, found: RefundFound, event_id: str | None
) -> None:
    """The money is back. One that was taken for failed had given up its reservation, which may be gone by now."""
    columns = order_payments.c
    reserved = 0 if row.stage is RefundStage.FAILED else row.amount
    room = columns.refunded + columns.reserved - reserved + row.amount <= columns.amount
    booked = {"refunded": columns.refunded + row.amount, "reserved": columns.reserved - reserved}
    paid = update(order_payments).where(columns.id == row.payment_id, room).values(**booked)
    if conn.execute(paid).rowcount != 1:
        _flag(conn, order, Why("channel", "refund beyond the payment", row.refund_no), Review.REFUND_DIFFERS, office)
        return
    _end(conn, row, RefundStage.DONE, office.clock.now(), found)
    differs = found.money is not None and found.money != Money(row.amount, row.currency)
    why = Why("channel", "refund done", event_id or row.refund_no)
    order = _restate(conn, order, row.payment_id, why, office, Review.REFUND_DIFFERS if differs else None)
    if order.status is OrderStatus.REFUNDED and order.fulfilled_at is not None and order.grants["revoke"]:
        office.enqueue(conn, order, "revoke")


def _failed(
    conn: Connection, office: Office, order: OrderRow, row: RefundRow, found: RefundFound, event_id: str | None
) -> None:
    columns = order_payments.c
    freed = update(order_payments).where(columns.id == row.payment_id)
    conn.execute(freed.values(reserved=columns.reserved - row.amount))
    _end(conn, row, RefundStage.FAILED, office.clock.now(), found)
    why = Why("channel", "refund failed", event_id or row.refund_no)
    order = _restate(conn, order, row.payment_id, why, office, Review.REFUND_FAILED)
    after_commit(conn, lambda: _log.error("a refund failed", order=order.order_no, refund=row.refund_no))
    if order.status in FULFILLABLE and order.fulfilled_at is None:
        office.enqueue(conn, order, "fulfil")


def _end(conn: Connection, row: RefundRow, stage: RefundStage, now: datetime, found: RefundFound) -> None:
    """Compare-and-set from the stage that `row` shows."""
    seen = update(order_refunds).where(order_refunds.c.id == row.id, order_refunds.c.stage == row.stage)
    failure = shorten(found.reason or "the vendor gives no reason", 255) if stage is RefundStage.FAILED else None
    number = None if found.channel_refund_id is None else found.channel_refund_id[:64]
    ended = seen.values(stage=stage, ended_at=now, failure=failure, channel_refund_id=number)
    if conn.execute(ended).rowcount != 1:
        raise repository.OrderMoved
    payment = conn.execute(select(order_payments.c.channel).where(order_payments.c.id == row.payment_id)).one()
    _count(conn, payment.channel, stage)


def _restate(
    conn: Connection, order: OrderRow, payment_id: int, why: Why, office: Office, review: Review | None = None
) -> OrderRow:
    """Have the order say what its main payment says by now; refunds of other payments leave an event only."""
    main = find_main(conn, order.order_no)
    values: dict[str, Any] = {"review": review} if review else {}
    to = order.status
    if main is not None and main.id == payment_id:
        honoured = order.paid_at is not None
        to = standing(main.amount, main.refunded, main.reserved, honoured=honoured)
        values["refunded"] = main.refunded
    return repository.move(conn, order, to, why, office.clock.now(), values)


def _flag(conn: Connection, order: OrderRow, why: Why, review: Review, office: Office) -> None:
    changed: Mapping[str, Any] = {"review": review}
    repository.move(conn, order, order.status, why, office.clock.now(), changed)
    after_commit(conn, lambda: _log.error("a refund needs a look", order=order.order_no, cause=why.cause))


def _count(conn: Connection, channel: str, stage: RefundStage) -> None:
    after_commit(conn, lambda: metrics.refunds_moved.labels(channel, stage.value).inc())
