"""Tables of the sandbox, besides those of every sandbox."""

VERSION = 2
TABLES = """
CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL,
    image_url TEXT NOT NULL,
    image_path TEXT NOT NULL,
    driven_id TEXT NOT NULL,
    face_bbox TEXT NOT NULL,
    ext_bbox TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    message TEXT,
    submit_ms INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    scheduled_ms INTEGER,
    end_ms INTEGER,
    running_ms INTEGER NOT NULL,
    fail_code TEXT,
    hang INTEGER NOT NULL DEFAULT 0,
    runner TEXT,
    lease_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    seconds REAL,
    link_expires INTEGER,
    link_dead INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tasks_status ON tasks (status, seq);
CREATE TABLE repeats (
    image_path TEXT NOT NULL, driven_id TEXT NOT NULL, creates INTEGER NOT NULL, PRIMARY KEY (image_path, driven_id)
);
CREATE TABLE detects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, took_ms INTEGER NOT NULL,
    image_path TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT
);
CREATE TABLE hits (call TEXT NOT NULL, at_ms INTEGER NOT NULL);
CREATE INDEX hits_call ON hits (call, at_ms);
CREATE TABLE totals (call TEXT PRIMARY KEY, calls INTEGER NOT NULL);
"""
