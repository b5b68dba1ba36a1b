"""Tables of orders, payments and refunds, and the states that they know. Rows are private to this package.

Amounts are integers in minor units. `order_events` is append-only; an order's version counts its events, so that the chain
has no gap whatever the machines' clocks say. Source: reference/identity_orders.md §5.2.
"""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, UniqueConstraint

from hutong.kernel.db import Enumerated, Id, Json, UtcTime, metadata


class OrderStatus(StrEnum):
    """Where an order stands; docs/kernel/orders.md has the table of moves."""

    PENDING = "pending"  # to be paid
    PAID = "paid"
    EXPIRED = "expired"  # not paid in time
    CANCELLED = "cancelled"  # called off by its owner, or closed at the vendor
    FAILED = "failed"  # the vendor refused it, or never heard of it
    REFUND_PENDING = "refund_pending"  # all that was paid is on its way back
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Review(StrEnum):
    """Why an operator should look at an order."""

    AMOUNT_DIFFERS = "amount_differs"
    CHANNEL_DIFFERS = "channel_differs"
    PAYER_DIFFERS = "payer_differs"
    TRANSACTION_REUSED = "transaction_reused"
    FULFILMENT_FAILED = "fulfilment_failed"
    REFUND_FAILED = "refund_failed"
    REFUND_DIFFERS = "refund_differs"
    REFUND_SLOW = "refund_slow"
    REVOKED_IN_PART = "revoked_in_part"


class Purpose(StrEnum):
    """What a payment is to its order."""

    SETTLING = "settling"  # it paid the order
    LATE = "late"  # it came too late and goes back
    SECOND = "second"  # the order was paid already: it goes back
    MISMATCHED = "mismatched"  # another amount, currency or channel: it goes back


class RefundStage(StrEnum):
    """How far a refund is."""

    REQUESTED = "requested"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"


class NoticeState(StrEnum):
    """What became of a vendor's report."""

    WAITING = "waiting"  # for an order or a refund that is not known yet
    APPLIED = "applied"
    ORPHANED = "orphaned"  # what it tells of never turned up


orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("order_no", String(32), nullable=False, unique=True),
    Column("user_id", Id, nullable=False),
    Column("product_id", String(64), nullable=False),
    Column("names", Json, nullable=False),
    Column("description", String(127), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("amount", Id, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("grants", Json, nullable=False),
    Column("channel", String(32), nullable=False),
    Column("status", Enumerated(OrderStatus, 32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("review", Enumerated(Review, 32), index=True),
    Column("request_key", String(64)),
    Column("client_address", String(64), nullable=False),
    Column("payer", String(128)),
    Column("pay_way", String(16)),
    Column("pay_values", Json),
    Column("refunded", Id, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("moved_at", UtcTime, nullable=False),
    Column("paid_at", UtcTime),
    Column("fulfilled_at", UtcTime),
    Column("revoked_at", UtcTime),
    UniqueConstraint("realm", "user_id", "request_key"),
    Index(None, "status", "expires_at"),
    Index(None, "realm", "user_id", "id"),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    CheckConstraint("refunded >= 0 AND refunded <= amount", name="refunded_within"),
)

order_events = Table(
    "order_events",
    metadata,
    Column("order_no", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("from_status", Enumerated(OrderStatus, 32)),
    Column("to_status", Enumerated(OrderStatus, 32), nullable=False),
    Column("actor", String(32), nullable=False),
    Column("cause", String(64), nullable=False),
    Column("event_id", String(128)),
    Column("created_at", UtcTime, nullable=False),
)

order_payments = Table(
    "order_payments",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("order_no", String(32), nullable=False, index=True),
    Column("channel", String(32), nullable=False),
    Column("transaction_id", String(64), nullable=False),
    Column("purpose", Enumerated(Purpose, 16), nullable=False),
    Column("amount", Id, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("refunded", Id, nullable=False),
    Column("reserved", Id, nullable=False),
    Column("payer", String(64)),
    Column("paid_at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    UniqueConstraint("channel", "transaction_id"),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    CheckConstraint("refunded >= 0", name="refunded_not_negative"),
    CheckConstraint("reserved >= 0", name="reserved_not_negative"),
    CheckConstraint("refunded + reserved <= amount", name="given_back_within"),
)

order_refunds = Table(
    "order_refunds",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("refund_no", String(64), nullable=False, unique=True),
    Column("order_no", String(32), nullable=False),
    Column("payment_id", Id, nullable=False, index=True),
    Column("refund_key", String(128), nullable=False),
    Column("amount", Id, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", String(80), nullable=False),
    Column("stage", Enumerated(RefundStage, 16), nullable=False),
    Column("channel_refund_id", String(64)),
    Column("failure", String(255)),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    UniqueConstraint("order_no", "refund_key"),
    Index(None, "stage", "created_at"),
    CheckConstraint("amount > 0", name="amount_positive"),
)

payment_notices = Table(
    "payment_notices",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("realm", String(32), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("notice_id", String(128), nullable=False),
    Column("event", String(64), nullable=False),
    Column("order_no", String(64), index=True),
    Column("content", Json, nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("state", Enumerated(NoticeState, 16), nullable=False),
    Column("outcome", String(32)),
    Column("received_at", UtcTime, nullable=False),
    Column("applied_at", UtcTime),
    UniqueConstraint("channel", "notice_id"),
    Index(None, "state", "received_at"),
)
