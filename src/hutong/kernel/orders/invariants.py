"""The promises of orders as SQL. Source: reference/identity_orders.md §5.2."""

from hutong.kernel.observability.invariants import Invariant

INVARIANTS = (
    Invariant(
        "orders.paid_has_payment",
        "An order that is or was paid has exactly one payment of its amount and currency; no other order has one.",
        """SELECT o.order_no, o.status, COUNT(p.id) AS payments FROM orders o LEFT JOIN order_payments p
           ON p.order_no = o.order_no AND p.purpose IN ('settling', 'late') AND p.amount = o.amount
           AND p.currency = o.currency GROUP BY o.order_no, o.status HAVING COUNT(p.id) <>
           CASE WHEN o.status IN ('pending', 'expired', 'cancelled', 'failed') THEN 0 ELSE 1 END""",
    ),
    Invariant(
        "orders.payment_has_order",
        "Every payment that counts is of its order's amount.",
        """SELECT p.id, p.order_no FROM order_payments p LEFT JOIN orders o ON o.order_no = p.order_no
           AND (p.purpose IN ('second', 'mismatched') OR (o.amount = p.amount AND o.currency = p.currency))
           WHERE o.order_no IS NULL""",
    ),
    Invariant(
        "orders.refunds_within_payment",
        "What was given back of a payment, and what is on its way, are its refunds, and never more than was paid.",
        """SELECT p.id, p.order_no FROM order_payments p LEFT JOIN order_refunds r ON r.payment_id = p.id
           GROUP BY p.id, p.order_no, p.amount, p.refunded, p.reserved
           HAVING p.refunded <> COALESCE(SUM(CASE WHEN r.stage = 'done' THEN r.amount ELSE 0 END), 0)
           OR p.reserved <> COALESCE(SUM(CASE WHEN r.stage IN ('requested', 'processing') THEN r.amount ELSE 0 END), 0)
           OR p.refunded + p.reserved > p.amount""",
    ),
    Invariant(
        "orders.refunded_fits_status",
        "An order says of its payment what the payment says: how much went back, and whether all of it.",
        """SELECT o.order_no, o.status, o.refunded FROM orders o JOIN order_payments p ON p.order_no = o.order_no
           AND p.purpose IN ('settling', 'late') WHERE o.refunded <> p.refunded
           OR (o.status = 'refunded') <> (p.refunded = p.amount)
           OR (o.status = 'paid' AND (p.refunded > 0 OR p.reserved = p.amount))
           OR (o.status = 'partially_refunded' AND p.refunded = 0)
           OR (o.status = 'refund_pending' AND p.purpose = 'settling' AND p.refunded + p.reserved <> p.amount)
           OR (p.purpose = 'late' AND o.status NOT IN ('refund_pending', 'refunded'))""",
    ),
    Invariant(
        "orders.events_are_a_chain",
        "Each event of an order starts where the one before it ended.",
        """SELECT e.order_no, e.number FROM order_events e LEFT JOIN order_events b
           ON b.order_no = e.order_no AND b.number = e.number - 1
           WHERE (e.number = 1 AND e.from_status IS NOT NULL) OR (e.number > 1 AND b.number IS NULL)
           OR (e.number > 1 AND (e.from_status IS NULL OR e.from_status <> b.to_status))""",
    ),
    Invariant(
        "orders.last_event_is_status",
        "An order is where its last event left it.",
        """SELECT o.order_no, o.status, o.version FROM orders o LEFT JOIN order_events e
           ON e.order_no = o.order_no AND e.number = o.version
           WHERE e.number IS NULL OR e.to_status <> o.status""",
    ),
    Invariant(
        "orders.fulfilled_once",
        "An order was fulfilled once if it says so, else never, and only if it was paid.",
        """SELECT o.order_no, o.status FROM orders o LEFT JOIN order_events e
           ON e.order_no = o.order_no AND e.cause = 'fulfilled'
           GROUP BY o.order_no, o.status, o.fulfilled_at, o.paid_at
           HAVING COUNT(e.number) <> CASE WHEN o.fulfilled_at IS NULL THEN 0 ELSE 1 END
           OR (o.fulfilled_at IS NOT NULL AND o.paid_at IS NULL)""",
    ),
)
