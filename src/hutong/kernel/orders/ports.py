"""What orders ask of a payment channel: WeChat Pay, Alipay and their like implement `PaymentChannel`.

Amounts are integers in minor units (fen, cent) beside an ISO 4217 currency code; moments are aware and in UTC. A channel has no
policy: it says what the vendor says, and never guesses. Source: reference/identity_orders.md §5, reference/album.md §3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (CNY 12.30 is `Money(1230, "CNY")`)."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Charge:
    """What a customer is to pay.

    Args:
        order_no: ours, unique, 6 to 32 characters of [0-9A-Za-z_-].
        money: the price.
        description: what the customer sees in the vendor's app, at most 127 characters.
        expires_at: the vendor refuses payment from then on.
        notify_url: where the vendor reports the payment; https in production, no query.
        address: IP address of the customer.
        payer: the customer's id at the vendor (openid), where the way of paying needs one.
    """

    order_no: str
    money: Money
    description: str
    expires_at: datetime
    notify_url: str
    address: str
    payer: str | None = None


@dataclass(frozen=True, slots=True)
class PayParameters:
    """What a client needs in order to pay.

    Args:
        way: how to use the values: `jsapi` (the vendor's page call), `native` (show `code_url` as a QR code), `page` (open
            `pay_url`).
        values: strings for the client; nothing secret.
    """

    way: str
    values: Mapping[str, str]


class PaymentState(StrEnum):
    """What the vendor says of one of our orders."""

    UNKNOWN = "unknown"  # the vendor has never heard of it
    WAITING = "waiting"
    PAID = "paid"  # also when it was refunded later: money did arrive
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that arrived at the vendor for one of our orders.

    Args:
        order_no: ours.
        transaction_id: the vendor's, unique in the channel.
        money: what was really paid.
        paid_at: by the vendor's clock.
        payer: the customer's id at the vendor, when it tells.
    """

    order_no: str
    transaction_id: str
    money: Money
    paid_at: datetime
    payer: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentFound:
    """The answer to a query. `payment` is there if and only if the state is PAID."""

    state: PaymentState
    payment: Payment | None = None


class RefundState(StrEnum):
    """What the vendor says of a refund."""

    UNKNOWN = "unknown"  # the vendor has never heard of it
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"  # it will not happen; an operator must look at it


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to give back.

    Args:
        order_no, transaction_id: of the payment.
        refund_no: ours, unique, at most 64 characters of [0-9A-Za-z_-]; asking twice with one number refunds once.
        money: of this refund; paid: of the whole payment.
        reason: shown to the customer, at most 80 characters.
        notify_url: where the vendor reports the refund.
    """

    order_no: str
    transaction_id: str
    refund_no: str
    money: Money
    paid: Money
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True)
class RefundFound:
    """What became of a refund; `channel_refund_id` is the vendor's number, when it has one."""

    state: RefundState
    refund_no: str
    channel_refund_id: str | None = None
    money: Money | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A vendor's report, verified: signature, freshness, and that it is for this merchant and this app.

    Args:
        notice_id: unique in the channel; the same report sent again has the same id.
        payment: what was paid, in a report of a payment.
        refund: what became of a refund, in a report of a refund.
        event: the vendor's own word for what happened.
    """

    notice_id: str
    event: str
    payment: Payment | None = None
    refund: RefundFound | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The HTTP answer that the vendor understands."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Closing(StrEnum):
    """What closing came to."""

    CLOSED = "closed"  # nobody can pay any more (also: it never existed there, and cannot come to exist)
    PAID = "paid"  # too late, it is paid: query it
    LATER = "later"  # the vendor cannot say at present: ask again


class PaymentChannel(Protocol):
    """One vendor under one merchant account.

    Every method that asks the vendor raises `ChannelUnavailable` when it cannot be reached, throttles or does not know
    (nothing is known then, ask again), and `ChannelRefused` when it says no for good.
    """

    @property
    def name(self) -> str:
        """As in the path of its notices and in order rows: `wechat`, `alipay`."""
        ...

    @property
    def currencies(self) -> frozenset[str]:
        """What it can take."""
        ...

    async def open(self, charge: Charge) -> PayParameters:
        """Make the payment known to the vendor; again with the same charge gives parameters for the same payment."""
        ...

    async def query(self, order_no: str) -> PaymentFound:
        """What the vendor says of an order."""
        ...

    async def close(self, order_no: str) -> Closing:
        """See to it that an order cannot be paid any more."""
        ...

    async def refund(self, refund: Refund) -> RefundFound:
        """Give money back; again with the same `refund_no` gives back nothing more."""
        ...

    async def query_refund(self, refund: Refund) -> RefundFound:
        """What became of a refund."""
        ...

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify a report and say what it says. `headers` have lower-case names.

        Raises:
            NoticeRefused: it is forged, altered, stale or for somebody else. Nothing may change because of it.
        """
        ...

    def acknowledge(self, refusal: str | None) -> Acknowledgement:
        """The answer to a report: `None` says that it is stored for good, else why it was not taken."""
        ...

    async def ping(self) -> None:
        """Whether the vendor answers."""
        ...
