"""Tables of the sandbox, besides those of every sandbox."""

VERSION = 1
TABLES = """
CREATE TABLE mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,
    subject TEXT NOT NULL, message_id TEXT NOT NULL, code TEXT, source BLOB NOT NULL
);
CREATE INDEX mails_recipient ON mails (recipient, id);
CREATE TABLE offers (seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, recipient TEXT NOT NULL, reply TEXT NOT NULL);
CREATE TABLE totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
