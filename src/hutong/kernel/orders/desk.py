"""What operators may see and do, over all realms; no vendor is called here, jobs do that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hutong.kernel.orders import notices, payments, refunds, repository
from hutong.kernel.orders.errors import OrderUnknown
from hutong.kernel.orders.ports import Money
from hutong.kernel.orders.refunds import Wish
from hutong.kernel.orders.repository import Office, OrderRow, Why
from hutong.kernel.orders.tables import OrderStatus, Purpose, orders
from hutong.kernel.orders.views import Order, RefundView
from hutong.kit.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened to an order."""

    number: int
    from_status: OrderStatus | None
    to_status: OrderStatus
    actor: str
    cause: str
    event_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentView:
    """Money that arrived; `refunded` and `reserved` are the minor units that went back, and that are on their way."""

    channel: str
    transaction_id: str
    purpose: Purpose
    money: Money
    refunded: int
    reserved: int
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of an order. `reports` are the vendors' words and what became of each."""

    realm: str
    order: Order
    events: Sequence[EventView]
    payments: Sequence[PaymentView]
    refunds: Sequence[RefundView]
    reports: Sequence[tuple[str, str, datetime]]


def open_dossier(conn: Connection, order_no: str, now: datetime) -> Dossier:
    """All that is known of an order.

    Raises:
        OrderUnknown.
    """
    order = _known(repository.find(conn, order_no))
    names = EventView.__dataclass_fields__
    return Dossier(
        realm=order.realm,
        order=repository.view(order, now),
        events=[EventView(*(getattr(row, name) for name in names)) for row in repository.list_events(conn, order_no)],
        payments=[_payment(row) for row in payments.list_payments(conn, order_no)],
        refunds=[refunds.view(row) for row in refunds.list_refunds(conn, order_no)],
        reports=[
            (row.event, row.outcome or row.state.value, row.received_at) for row in notices.list_notices(conn, order_no)
        ],
    )


def list_orders(
    conn: Connection,
    page: PageRequest,
    now: datetime,
    *,
    status: OrderStatus | None = None,
    user_id: int | None = None,
    flagged: bool = False,
) -> Page[Order]:
    """Orders of every realm, newest first.

    Args:
        conn: the unit of work.
        page: which.
        now: the moment.
        status: only those that show it.
        user_id: only this user's.
        flagged: only those that somebody should look at.
    """
    wanted = [] if user_id is None else [orders.c.user_id == user_id]
    wanted += [orders.c.review.is_not(None)] if flagged else []
    wanted += [] if status is None else [repository.shown_as(status, now)]
    return repository.list_all(conn, page, *wanted).map(lambda row: repository.view(row, now))


def refund(
    conn: Connection, office: Office, order_no: str, wish: Wish, transaction_id: str | None = None
) -> RefundView:
    """Give money of an order back: of the payment that paid for it, or of the one named.

    Raises:
        OrderUnknown: there is no such order, or no such payment of it.
        OrderNotPaid, RefundTooLarge, RefundRefused, RefundKeyReused: nothing changed.
    """
    order = _known(repository.lock(conn, order_no))
    if transaction_id is None:
        return refunds.view(refunds.request_main(conn, office, order, wish))
    paid = [row for row in payments.list_payments(conn, order_no) if row.transaction_id == transaction_id]
    if not paid:
        raise OrderUnknown("This order has no such payment.")
    return refunds.view(refunds.request(conn, office, order, paid[0].id, wish))


def clear_review(conn: Connection, office: Office, order_no: str) -> bool:
    """Somebody has looked at the order. Returns whether there was anything to look at.

    Raises:
        OrderUnknown.
    """
    order = _known(repository.lock(conn, order_no))
    if order.review is None:
        return False
    why = Why("operator", f"reviewed: {order.review.value}")
    repository.move(conn, order, order.status, why, office.clock.now(), {"review": None})
    return True


def _known(order: OrderRow | None) -> OrderRow:
    if order is None:
        raise OrderUnknown
    return order


def _payment(row: payments.PaymentRow) -> PaymentView:
    return PaymentView(
        channel=row.channel,
        transaction_id=row.transaction_id,
        purpose=row.purpose,
        money=Money(row.amount, row.currency),
        refunded=row.refunded,
        reserved=row.reserved,
        paid_at=row.paid_at,
    )
