"""What orders look like from outside: plain values, never rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hutong.kernel.orders.ports import Acknowledgement, Money, PayParameters
from hutong.kernel.orders.tables import OrderStatus, RefundStage, Review


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its owner may see it.

    Args:
        order_no: unguessable, 22 characters of [0-9a-z].
        user_id: its owner.
        product_id, names, quantity: what was bought; names by language, as they were then.
        money: the whole price.
        status: a pending order whose time is up shows as expired, whether the sweeper has been there or not.
        review: why an operator should look at it, or None.
        channel: where it is to be paid, or was.
        expires_at: from this moment on it cannot be paid in time.
        paid_at: by the vendor's clock, once it is paid and that was accepted.
        fulfilled_at: when what was bought was handed over.
        refunded: minor units of the price that were given back so far.
        pay: what a client needs to pay; only while it can be paid.
    """

    order_no: str
    user_id: int
    product_id: str
    names: Mapping[str, str]
    quantity: int
    money: Money
    status: OrderStatus
    review: Review | None
    channel: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    fulfilled_at: datetime | None
    refunded: int
    pay: PayParameters | None

    def name(self, language: str) -> str:
        """What was bought, in a language; in English where it has no name in that one."""
        return self.names.get(language) or self.names["en"]


@dataclass(frozen=True, slots=True)
class Created:
    """A new order, and how to pay it. An Idempotency-Key that is used again gets the first answer: the order as created."""

    order: Order
    pay: PayParameters


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a vendor's report.

    Args:
        answer: what to say to the vendor.
        verified: whether it was the vendor's, whatever could be done with it.
    """

    answer: Acknowledgement
    verified: bool


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund. `refund_no` is the number that the vendor knows; `failure` says why it failed."""

    refund_no: str
    order_no: str
    money: Money
    reason: str
    stage: RefundStage
    failure: str | None
    created_at: datetime


OnFulfilled = Callable[[Connection, Order], None]
"""An app's own part of handing over, in the transaction that grants: enqueue jobs, write rows; called once an order."""
