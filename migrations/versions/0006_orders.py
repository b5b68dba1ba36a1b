"""Orders, payments, refunds, and the inbox of payment notices

Revision: 0006
Before: 0004
"""

import sqlalchemy as sa
from alembic import op

from hutong.kernel.db import Id, Json, UtcTime

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_events",
        sa.Column("order_no", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_status", sa.String(32), nullable=True),
        sa.Column("to_status", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(128), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("order_no", "number", name="pk_order_events"),
    )
    op.create_table(
        "order_payments",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("order_no", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("transaction_id", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("amount", Id(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("refunded", Id(), nullable=False),
        sa.Column("reserved", Id(), nullable=False),
        sa.Column("payer", sa.String(64), nullable=True),
        sa.Column("paid_at", UtcTime(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.CheckConstraint("amount >= 0", name="ck_order_payments_amount_not_negative"),
        sa.CheckConstraint("refunded + reserved <= amount", name="ck_order_payments_given_back_within"),
        sa.CheckConstraint("refunded >= 0", name="ck_order_payments_refunded_not_negative"),
        sa.CheckConstraint("reserved >= 0", name="ck_order_payments_reserved_not_negative"),
        sa.PrimaryKeyConstraint("id", name="pk_order_payments"),
        sa.UniqueConstraint("channel", "transaction_id", name="uq_order_payments_channel_transaction_id"),
    )
    op.create_index("ix_order_payments_order_no", "order_payments", ["order_no"])
    op.create_table(
        "order_refunds",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("refund_no", sa.String(64), nullable=False),
        sa.Column("order_no", sa.String(32), nullable=False),
        sa.Column("payment_id", Id(), nullable=False),
        sa.Column("refund_key", sa.String(128), nullable=False),
        sa.Column("amount", Id(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reason", sa.String(80), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("channel_refund_id", sa.String(64), nullable=True),
        sa.Column("failure", sa.String(255), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.CheckConstraint("amount > 0", name="ck_order_refunds_amount_positive"),
        sa.PrimaryKeyConstraint("id", name="pk_order_refunds"),
        sa.UniqueConstraint("order_no", "refund_key", name="uq_order_refunds_order_no_refund_key"),
        sa.UniqueConstraint("refund_no", name="uq_order_refunds_refund_no"),
    )
    op.create_index("ix_order_refunds_payment_id", "order_refunds", ["payment_id"])
    op.create_index("ix_order_refunds_stage_created_at", "order_refunds", ["stage", "created_at"])
    op.create_table(
        "orders",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("order_no", sa.String(32), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("product_id", sa.String(64), nullable=False),
        sa.Column("names", Json(), nullable=False),
        sa.Column("description", sa.String(127), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount", Id(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("grants", Json(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("review", sa.String(32), nullable=True),
        sa.Column("request_key", sa.String(64), nullable=True),
        sa.Column("client_address", sa.String(64), nullable=False),
        sa.Column("payer", sa.String(128), nullable=True),
        sa.Column("pay_way", sa.String(16), nullable=True),
        sa.Column("pay_values", Json(), nullable=True),
        sa.Column("refunded", Id(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("moved_at", UtcTime(), nullable=False),
        sa.Column("paid_at", UtcTime(), nullable=True),
        sa.Column("fulfilled_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.CheckConstraint("amount > 0", name="ck_orders_amount_positive"),
        sa.CheckConstraint("quantity > 0", name="ck_orders_quantity_positive"),
        sa.CheckConstraint("refunded >= 0 AND refunded <= amount", name="ck_orders_refunded_within"),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("order_no", name="uq_orders_order_no"),
        sa.UniqueConstraint("realm", "user_id", "request_key", name="uq_orders_realm_user_id_request_key"),
    )
    op.create_index("ix_orders_realm_user_id_id", "orders", ["realm", "user_id", "id"])
    op.create_index("ix_orders_review", "orders", ["review"])
    op.create_index("ix_orders_status_expires_at", "orders", ["status", "expires_at"])
    op.create_table(
        "payment_notices",
        sa.Column("id", Id(), autoincrement=False, nullable=False),
        sa.Column("realm", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("notice_id", sa.String(128), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("order_no", sa.String(64), nullable=True),
        sa.Column("content", Json(), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=True),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("applied_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_payment_notices"),
        sa.UniqueConstraint("channel", "notice_id", name="uq_payment_notices_channel_notice_id"),
    )
    op.create_index("ix_payment_notices_order_no", "payment_notices", ["order_no"])
    op.create_index("ix_payment_notices_state_received_at", "payment_notices", ["state", "received_at"])


def downgrade() -> None:
    for table in ("payment_notices", "order_refunds", "order_payments", "order_events", "orders"):
        op.drop_table(table)
