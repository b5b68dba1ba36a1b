"""Tables of a payment sandbox, besides those of every sandbox. Amounts are minor units, moments milliseconds since 1970."""

VERSION = 1
TABLES = """
CREATE TABLE trades (
    order_no TEXT PRIMARY KEY COLLATE BINARY,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    way TEXT NOT NULL,
    payer TEXT,
    notify_url TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    facts TEXT NOT NULL,
    state TEXT NOT NULL,
    transaction_id TEXT UNIQUE,
    paid_amount INTEGER,
    paid_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE refunds (
    refund_no TEXT PRIMARY KEY COLLATE BINARY,
    refund_id TEXT NOT NULL UNIQUE,
    order_no TEXT NOT NULL,
    amount INTEGER NOT NULL,
    reason TEXT NOT NULL,
    notify_url TEXT NOT NULL,
    state TEXT NOT NULL,
    fails INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    done_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX refunds_of ON refunds (order_no);
CREATE TABLE notices (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    order_no TEXT NOT NULL,
    refund_no TEXT,
    transaction_id TEXT NOT NULL,
    amount INTEGER NOT NULL,
    url TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    held INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state TEXT NOT NULL,
    last_status INTEGER,
    last_twist TEXT
);
CREATE INDEX notices_due ON notices (state, due_ms);
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, call TEXT NOT NULL, order_no TEXT NOT NULL,
    status INTEGER NOT NULL, code TEXT NOT NULL
);
CREATE TABLE totals (name TEXT PRIMARY KEY, times INTEGER NOT NULL)
"""
