"""Queries and moves of orders. Whoever changes an order locks its row first; moves are compare-and-set on its version."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from hutong.kernel.db import after_commit, insert_if_absent
from hutong.kernel.jobs import Jobs
from hutong.kernel.observability import metrics
from hutong.kernel.orders.ports import Money, PayParameters
from hutong.kernel.orders.rules import may_move, shown
from hutong.kernel.orders.tables import OrderStatus, order_events, orders
from hutong.kernel.orders.views import Order
from hutong.kit.clock import Clock
from hutong.kit.errors import Conflict
from hutong.kit.paging import Page, PageRequest

OrderRow = Row[Any]
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM = 16


class OrderMoved(Conflict):
    """This order was changed by somebody else at the same moment; look at it again."""

    code = "orders.moved"


@dataclass(frozen=True, slots=True)
class Office:
    """What a change of an order needs beside its transaction."""

    jobs: Jobs
    ids: Callable[[], int]
    clock: Clock

    def enqueue(self, conn: Connection, order: OrderRow, verb: str, *, run_at: datetime | None = None) -> None:
        """Have a job of the order's realm look at it, once if it is asked for twice."""
        task = task_name(order.realm, verb)
        self.jobs.enqueue_once(conn, task, f"{task}:{order.order_no}", {"order_no": order.order_no}, run_at=run_at)


@dataclass(frozen=True, slots=True)
class Why:
    """Who moved an order, and for what reason.

    Args:
        actor: `user`, `channel`, `clock`, `job` or `operator`.
        cause: a few words.
        event_id: of the notice, transaction or refund that caused it.
    """

    actor: str
    cause: str
    event_id: str | None = None


def task_name(realm: str, verb: str) -> str:
    """The name of a realm's job."""
    return f"{realm}.orders.{verb}"


def fresh_number(now: datetime) -> str:
    """An order's number: the day, and 80 random bits."""
    return f"{now:%y%m%d}" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))


def create(conn: Connection, values: Mapping[str, Any], why: Why) -> bool:
    """Add a pending order with its first event. Returns False when its request key was used before."""
    if not insert_if_absent(conn, orders, {**values, "status": OrderStatus.PENDING, "version": 1, "refunded": 0}):
        return False
    _record(conn, values["order_no"], 1, None, OrderStatus.PENDING, why, values["created_at"])
    _count(conn, values["realm"], values["channel"], OrderStatus.PENDING)
    return True


def find(conn: Connection, order_no: str) -> OrderRow | None:
    """An order, whoever's it is: for jobs and operators."""
    return conn.execute(select(orders).where(orders.c.order_no == order_no)).first()


def find_own(conn: Connection, realm: str, user_id: int, order_no: str) -> OrderRow | None:
    """The user's own order."""
    return conn.execute(select(orders).where(_own(realm, user_id), orders.c.order_no == order_no)).first()


def find_by_request(conn: Connection, realm: str, user_id: int, request_key: str) -> OrderRow | None:
    """The order that an Idempotency-Key of the user made."""
    return conn.execute(select(orders).where(_own(realm, user_id), orders.c.request_key == request_key)).first()


def list_own(
    conn: Connection, realm: str, user_id: int, page: PageRequest, status: OrderStatus | None, now: datetime
) -> Page[OrderRow]:
    """The user's orders, newest first."""
    wanted = _own(realm, user_id) if status is None else and_(_own(realm, user_id), shown_as(status, now))
    return _page(conn, wanted, page)


def list_all(conn: Connection, page: PageRequest, *wanted: ColumnElement[bool]) -> Page[OrderRow]:
    """Everybody's orders, newest first: for operators."""
    return _page(conn, and_(True, *wanted), page)


def list_overdue(conn: Connection, realm: str, channel: str, now: datetime, limit: int) -> Sequence[OrderRow]:
    """Pending orders whose time is up, the oldest first."""
    late = and_(orders.c.status == OrderStatus.PENDING, orders.c.expires_at <= now)
    ours = and_(orders.c.realm == realm, orders.c.channel == channel)
    return conn.execute(select(orders).where(late, ours).order_by(orders.c.expires_at).limit(limit)).all()


def list_events(conn: Connection, order_no: str) -> Sequence[Row[Any]]:
    """Everything that happened to an order, in its order."""
    chain = select(order_events).where(order_events.c.order_no == order_no)
    return conn.execute(chain.order_by(order_events.c.number)).all()


def lock(conn: Connection, order_no: str) -> OrderRow | None:
    """An order, which nobody else changes until the transaction ends."""
    return conn.execute(select(orders).where(orders.c.order_no == order_no).with_for_update()).first()


def move(
    conn: Connection, order: OrderRow, to: OrderStatus, why: Why, now: datetime, values: Mapping[str, Any] | None = None
) -> OrderRow:
    """Move an order from where `order` shows it, or change it where it is, and leave an event.

    Args:
        conn: the unit of work.
        order: as it was read under its lock.
        to: the status, which may be the one it has.
        why: for the event.
        now: the moment.
        values: other columns.

    Returns:
        The order as it is now.

    Raises:
        OrderMoved: somebody else changed it first; the transaction must not commit.
    """
    assert may_move(order.status, to), f"an order does not go from {order.status} to {to}"
    number = order.version + 1
    changed = {**(values or {}), "status": to, "version": number}
    if to is not order.status:
        changed["moved_at"] = now
    seen = and_(orders.c.order_no == order.order_no, orders.c.status == order.status, orders.c.version == order.version)
    if conn.execute(update(orders).where(seen).values(**changed)).rowcount != 1:
        raise OrderMoved
    _record(conn, order.order_no, number, order.status, to, why, now)
    if to is not order.status:
        _count(conn, order.realm, order.channel, to)
    found = find(conn, order.order_no)
    assert found is not None
    return found


def view(order: OrderRow, now: datetime) -> Order:
    """An order as its owner may see it."""
    status = shown(order.status, order.expires_at, now)
    payable = status is OrderStatus.PENDING and order.pay_way is not None
    return Order(
        order_no=order.order_no,
        user_id=order.user_id,
        product_id=order.product_id,
        names=order.names,
        quantity=order.quantity,
        money=Money(order.amount, order.currency),
        status=status,
        review=order.review,
        channel=order.channel,
        created_at=order.created_at,
        expires_at=order.expires_at,
        paid_at=order.paid_at,
        fulfilled_at=order.fulfilled_at,
        refunded=order.refunded,
        pay=PayParameters(order.pay_way, order.pay_values) if payable else None,
    )


def as_created(order: OrderRow, pay: PayParameters) -> Order:
    """An order as it was when it was made, whatever has become of it."""
    new = view(order, order.created_at)
    then: dict[str, Any] = {
        "status": OrderStatus.PENDING,
        "review": None,
        "paid_at": None,
        "fulfilled_at": None,
        "refunded": 0,
    }
    return replace(new, **then, pay=pay)


def _record(
    conn: Connection,
    order_no: str,
    number: int,
    from_status: OrderStatus | None,
    to_status: OrderStatus,
    why: Why,
    now: datetime,
) -> None:
    conn.execute(
        order_events.insert().values(
            order_no=order_no,
            number=number,
            from_status=from_status,
            to_status=to_status,
            actor=why.actor,
            cause=why.cause,
            event_id=why.event_id,
            created_at=now,
        )
    )


def _count(conn: Connection, realm: str, channel: str, status: OrderStatus) -> None:
    after_commit(conn, lambda: metrics.orders_moved.labels(realm, channel, status.value).inc())


def _own(realm: str, user_id: int) -> ColumnElement[bool]:
    return and_(orders.c.realm == realm, orders.c.user_id == user_id)


def shown_as(status: OrderStatus, now: datetime) -> ColumnElement[bool]:
    """`rules.shown` as SQL."""
    same = orders.c.status == status
    pending = orders.c.status == OrderStatus.PENDING
    if status is OrderStatus.PENDING:
        return and_(same, orders.c.expires_at > now)
    if status is OrderStatus.EXPIRED:
        return or_(same, and_(pending, orders.c.expires_at <= now))
    return same


def _page(conn: Connection, wanted: ColumnElement[bool], page: PageRequest) -> Page[OrderRow]:
    total = conn.execute(select(func.count()).select_from(orders).where(wanted)).scalar_one()
    newest = select(orders).where(wanted).order_by(orders.c.id.desc())
    rows = conn.execute(newest.limit(page.page_size).offset(page.offset)).all()
    return Page(rows, total, page.page, page.page_size)
