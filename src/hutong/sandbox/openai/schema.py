"""Tables of the sandbox, besides those of every sandbox."""

VERSION = 1
TABLES = """
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, way TEXT NOT NULL, model TEXT NOT NULL,
    asked TEXT NOT NULL, messages INTEGER NOT NULL, caller TEXT NOT NULL, request_id TEXT NOT NULL, status INTEGER,
    outcome TEXT NOT NULL, prompt INTEGER NOT NULL DEFAULT 0, completion INTEGER NOT NULL DEFAULT 0,
    took_ms INTEGER
);
CREATE TABLE totals (name TEXT PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE buckets (name TEXT PRIMARY KEY, used REAL NOT NULL, at_ms INTEGER NOT NULL);
"""
