"""Calls of Chat Completions as rows, and the counters behind the page. Runs inside a transaction of the state."""

import sqlite3
from dataclasses import dataclass
from typing import Any

KEPT = 300
EXCERPT = 200
TOTALS = ("stream", "whole", "answered", "refused", "broken", "left", "prompt", "completion")
BROKEN = ("hang", "cut", "malformed", "error_event", "end_early")


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a call when it comes: how the answer is wanted, the model, the last words, how many messages, who."""

    way: str
    model: str
    asked: str
    messages: int
    caller: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: HTTP status (None: none was sent), word for it, tokens read and written, milliseconds."""

    status: int | None
    word: str
    prompt: int
    completion: int
    took_ms: int


def begin(conn: sqlite3.Connection, opening: Opening, now_ms: int) -> int:
    """Note a call; returns its number."""
    count(conn, opening.way)
    noted = (opening.way, opening.model[:64], opening.asked[:EXCERPT], opening.messages, opening.caller[:64])
    cursor = conn.execute(
        "INSERT INTO calls (at_ms, way, model, asked, messages, caller, request_id, outcome) "
        "VALUES (?, ?, ?, ?, ?, ?, '', 'running')",
        (now_ms, *noted),
    )
    conn.execute("DELETE FROM calls WHERE seq <= (SELECT max(seq) FROM calls) - ?", (KEPT,))
    return int(cursor.lastrowid or 0)


def end(conn: sqlite3.Connection, seq: int, request_id: str, outcome: Outcome) -> None:
    """Note how a call ended."""
    conn.execute(
        "UPDATE calls SET request_id = ?, status = ?, outcome = ?, prompt = ?, completion = ?, took_ms = ? WHERE seq = ?",
        (request_id, outcome.status, outcome.word, outcome.prompt, outcome.completion, outcome.took_ms, seq),
    )
    kind = "broken" if outcome.word in BROKEN else outcome.word if outcome.word in TOTALS else "refused"
    count(conn, kind)
    count(conn, "prompt", outcome.prompt)
    count(conn, "completion", outcome.completion)


def count(conn: sqlite3.Connection, name: str, times: int = 1) -> None:
    """So many more of something."""
    conn.execute(
        "INSERT INTO totals (name, times) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET times = times + excluded.times",
        (name, times),
    )


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """Calls by how they were asked and how they ended, and tokens read and written, since the file was made."""
    found = {row["name"]: row["times"] for row in conn.execute("SELECT name, times FROM totals")}
    return {name: found.get(name, 0) for name in TOTALS}


def running(conn: sqlite3.Connection) -> int:
    """How many calls have not ended."""
    return int(conn.execute("SELECT count(*) FROM calls WHERE outcome = 'running'").fetchone()[0])


def latest(conn: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The calls that came last, newest first."""
    return [dict(row) for row in conn.execute("SELECT * FROM calls ORDER BY seq DESC LIMIT ?", (limit,))]


def clear(conn: sqlite3.Connection) -> None:
    """Drop the calls that have ended."""
    conn.execute("DELETE FROM calls WHERE outcome <> 'running'")


def forget_running(conn: sqlite3.Connection) -> None:
    """Calls of a process that was killed: nobody answers them any more."""
    conn.execute("UPDATE calls SET outcome = 'left' WHERE outcome = 'running'")
