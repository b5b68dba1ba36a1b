"""Handing over what was bought, once: the grants and the app's own part run in one transaction with a compare-and-set.

A full refund takes grants back only where the product says so, and only as far as they are still there.
Source: reference/identity_orders.md §5.2, O14.
"""

from typing import Any

from sqlalchemy import Connection, update

from hutong.kernel.credits import EntryKind, balance_of, create_account, grant, spend
from hutong.kernel.credits.ledger import Move
from hutong.kernel.entitlements import extend_membership, shorten_membership
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.orders import repository
from hutong.kernel.orders.repository import Office, OrderRow, Why
from hutong.kernel.orders.rules import FULFILLABLE
from hutong.kernel.orders.tables import OrderStatus, Review, orders
from hutong.kernel.orders.views import OnFulfilled

REF_TYPE = "order"


def fulfil(conn: Connection, office: Office, order_no: str, on_fulfilled: OnFulfilled) -> bool:
    """Grant what a paid order is for. Returns False, nothing changed, when that was done or the order is not paid."""
    order = repository.lock(conn, order_no)
    if order is None:
        return False
    now = office.clock.now()
    due = (orders.c.order_no == order_no, orders.c.fulfilled_at.is_(None), orders.c.status.in_(FULFILLABLE))
    if conn.execute(update(orders).where(*due).values(fulfilled_at=now)).rowcount != 1:
        return False
    order = repository.move(conn, order, order.status, Why("job", "fulfilled"), now)
    _grant(conn, office, order)
    on_fulfilled(conn, repository.view(order, now))
    failpoint("orders.fulfil.granted")
    return True


def put_up_for_review(conn: Connection, office: Office, order_no: str) -> None:
    """Nothing could be handed over, again and again."""
    order = repository.lock(conn, order_no)
    if order is not None and order.fulfilled_at is None and order.status in FULFILLABLE:
        why = Why("job", "fulfilment failed")
        repository.move(conn, order, order.status, why, office.clock.now(), {"review": Review.FULFILMENT_FAILED})


def revoke(conn: Connection, office: Office, order_no: str) -> bool:
    """Take back what a refunded order had granted. Returns False, nothing changed, when that is not due.

    Points that were spent meanwhile cannot be taken; then an operator is to look at the order.

    Raises:
        CreditsExhausted: points were spent at this very moment; nothing changed.
    """
    order = repository.lock(conn, order_no)
    if order is None or order.status is not OrderStatus.REFUNDED or not order.grants["revoke"]:
        return False
    if order.fulfilled_at is None or order.revoked_at is not None:
        return False
    now = office.clock.now()
    missing = _take_back(conn, office, order)
    values: dict[str, Any] = {"revoked_at": now} | ({"review": Review.REVOKED_IN_PART} if missing else {})
    repository.move(conn, order, order.status, Why("job", "revoked"), now, values)
    return True


def _grant(conn: Connection, office: Office, order: OrderRow) -> None:
    now, user_id = office.clock.now(), order.user_id
    if points := _points(order):
        create_account(conn, user_id, now)
        grant(conn, _points_move(office, order, EntryKind.PURCHASE, points, f"order:{order.order_no}"))
    if plan := order.grants["membership"]:
        extend_membership(conn, user_id, plan["plan"], plan["days"] * order.quantity, now)


def _take_back(conn: Connection, office: Office, order: OrderRow) -> int:
    """Returns the points that are not there any more."""
    if plan := order.grants["membership"]:
        shorten_membership(conn, order.user_id, plan["plan"], plan["days"] * order.quantity, office.clock.now())
    points = _points(order)
    there = min(points, balance_of(conn, order.user_id)) if points else 0
    if there:
        key = f"order-revoked:{order.order_no}"
        spend(conn, _points_move(office, order, EntryKind.CONSUME, -there, key))
    return points - there


def _points(order: OrderRow) -> int:
    return int(order.grants["credits"] or 0) * int(order.quantity)


def _points_move(office: Office, order: OrderRow, kind: EntryKind, amount: int, key: str) -> Move:
    return Move(
        entry_id=office.ids(),
        account_id=order.user_id,
        kind=kind,
        amount=amount,
        key=key,
        now=office.clock.now(),
        ref_type=REF_TYPE,
        ref_id=order.order_no,
    )
