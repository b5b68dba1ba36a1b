"""Tables of the sandbox, besides those of every sandbox."""

VERSION = 1
TABLES = """
CREATE TABLE objects (
    key TEXT PRIMARY KEY COLLATE BINARY,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    crc64 TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    link_dead INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, call TEXT NOT NULL, key TEXT NOT NULL,
    status INTEGER NOT NULL, code TEXT NOT NULL
);
CREATE TABLE totals (call TEXT PRIMARY KEY, calls INTEGER NOT NULL);
"""
