"""Pure decisions about orders: the table of moves, what a payment means, what refunds leave, when to ask again.

Source: reference/identity_orders.md §5.2; contracts/storefront.md "Users and orders".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hutong.kernel.orders.ports import Money, Payment
from hutong.kernel.orders.tables import OrderStatus, Purpose, Review

PENDING, PAID, EXPIRED, CANCELLED, FAILED = (
    OrderStatus.PENDING,
    OrderStatus.PAID,
    OrderStatus.EXPIRED,
    OrderStatus.CANCELLED,
    OrderStatus.FAILED,
)
REFUND_PENDING, PARTIALLY_REFUNDED, REFUNDED = (
    OrderStatus.REFUND_PENDING,
    OrderStatus.PARTIALLY_REFUNDED,
    OrderStatus.REFUNDED,
)
MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    PENDING: frozenset({PAID, EXPIRED, CANCELLED, FAILED, REFUND_PENDING}),
    EXPIRED: frozenset({PAID, REFUND_PENDING}),
    CANCELLED: frozenset({PAID, REFUND_PENDING}),
    FAILED: frozenset({PAID, REFUND_PENDING}),
    PAID: frozenset({REFUND_PENDING, PARTIALLY_REFUNDED, REFUNDED}),
    PARTIALLY_REFUNDED: frozenset({REFUND_PENDING, REFUNDED}),
    REFUND_PENDING: frozenset({PAID, PARTIALLY_REFUNDED, REFUNDED}),
    REFUNDED: frozenset(),
}
UNPAID = frozenset({PENDING, EXPIRED, CANCELLED, FAILED})
OVER = frozenset({EXPIRED, CANCELLED, FAILED})
FULFILLABLE = frozenset({PAID, PARTIALLY_REFUNDED})
AFTER_ITS_END, AFTER_ITS_TIME = timedelta(minutes=10), timedelta(minutes=5)
LatePolicy = Literal["revive", "refund"]
SOONEST, LATEST_PAYMENT, LATEST_REFUND = 15.0, 300.0, 3600.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What an order expects of a payment."""

    status: OrderStatus
    money: Money
    channel: str
    expires_at: datetime
    payer: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a payment is to its order.

    Args:
        purpose: of the payment.
        to: where the order moves, or None.
        cause: for the order's event.
        review: why an operator should look, or None.
    """

    purpose: Purpose
    to: OrderStatus | None
    cause: str
    review: Review | None = None


def may_move(status: OrderStatus, to: OrderStatus) -> bool:
    """Whether the table of moves has it; an event without a move is always allowed."""
    return status is to or to in MOVES[status]


def judge(expected: Expected, channel: str, payment: Payment, late_payment: LatePolicy) -> Verdict:
    """What a payment means that nobody has told of before.

    The vendor's clock says when it was paid: before `expires_at` is in time, at that moment or later is late. To an order
    that has expired or was called off every payment is late.
    """
    if payment.money != expected.money:
        return Verdict(Purpose.MISMATCHED, None, "amount differs", Review.AMOUNT_DIFFERS)
    if channel != expected.channel:
        return Verdict(Purpose.MISMATCHED, None, "channel differs", Review.CHANNEL_DIFFERS)
    if expected.status not in UNPAID:
        return Verdict(Purpose.SECOND, None, "paid again")
    review = Review.PAYER_DIFFERS if _is_another(expected.payer, payment.payer) else None
    if expected.status is PENDING and payment.paid_at < expected.expires_at:
        return Verdict(Purpose.SETTLING, PAID, "paid", review)
    if late_payment == "revive":
        return Verdict(Purpose.SETTLING, PAID, "paid late", review)
    return Verdict(Purpose.LATE, REFUND_PENDING, "paid late", review)


def _is_another(wanted: str | None, found: str | None) -> bool:
    return wanted is not None and found is not None and wanted != found


def standing(amount: int, refunded: int, reserved: int, *, honoured: bool) -> OrderStatus:
    """The status of an order for which money arrived.

    Args:
        amount: what was paid, in minor units.
        refunded: of that, given back.
        reserved: of that, on its way back.
        honoured: whether the payment was accepted, or only waits to go back.
    """
    if refunded == amount:
        return REFUNDED
    if not honoured or refunded + reserved == amount:
        return REFUND_PENDING
    return PARTIALLY_REFUNDED if refunded else PAID


def shown(status: OrderStatus, expires_at: datetime, now: datetime) -> OrderStatus:
    """What a reader is told: a pending order whose time is up has expired, settled or not."""
    return EXPIRED if status is PENDING and now >= expires_at else status


def due_at(now: datetime, seconds: int) -> datetime:
    """When an order made now expires: a whole second, since vendors tell times in seconds."""
    return now.replace(microsecond=0) + timedelta(seconds=seconds + (now.microsecond > 0))


def until_next_look(created_at: datetime, expires_at: datetime, now: datetime) -> float:
    """Seconds until the vendor is asked about a pending order again: 15 s at first, twice as long each time, at most 5 min.

    An order whose time is up is asked about at that moment.
    """
    wait = min(max((now - created_at).total_seconds(), SOONEST), LATEST_PAYMENT)
    left = (expires_at - now).total_seconds()
    return min(wait, left) if left > 0 else wait


def last_look_at(moved_at: datetime, expires_at: datetime) -> datetime:
    """When the vendor is asked for the last time whether money came for an order that has ended.

    Not before the time is over that its vendor was told: what was called off before the customer opened it may be payable
    until then (Alipay's pages are signed here, and their vendor has nothing to close).
    """
    return max(moved_at + AFTER_ITS_END, expires_at + AFTER_ITS_TIME)


def until_next_refund_look(created_at: datetime, now: datetime) -> float:
    """Seconds until the vendor is asked about a refund again: 15 s at first, twice as long each time, at most an hour."""
    return min(max((now - created_at).total_seconds(), SOONEST), LATEST_REFUND)


def masked(payer: str | None) -> str | None:
    """A customer's id at the vendor, with its middle left out: enough to compare by eye, not enough to use."""
    if payer is None or len(payer) <= 8:
        return None if payer is None else "…"
    return f"{payer[:4]}…{payer[-4:]}"
