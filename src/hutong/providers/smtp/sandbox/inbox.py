"""Mails that were taken, offers and what became of them, as rows."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hutong.providers.smtp.sandbox.reading import read
from hutong.sandbox import faults

Stage = Literal["rcpt", "data"]
KEPT_OFFERS = 200
TOTALS = ("taken", "refused", "put off", "dropped")
_LISTED = """SELECT id, at_ms, sender, recipient, subject, message_id, code, source, (
    SELECT count(*) FROM mails m WHERE m.message_id = mails.message_id AND m.recipient = mails.recipient AND m.id <= mails.id
) AS nth FROM mails"""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was taken. `nth` counts the mails to this recipient with this message id, from 1."""

    id: int
    at_ms: int
    sender: str
    recipient: str
    subject: str
    message_id: str
    code: str | None
    source: bytes
    nth: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What was ordered for one step: to wait, to give another reply, to cut the connection before or after taking it."""

    wait: float
    code: str | None
    hang_up: bool
    lose: bool


def orders(conn: sqlite3.Connection, stage: Stage, now_ms: int) -> Orders:
    """The mishaps that this step meets; each is used up by one."""
    slow = faults.take(conn, "slow", stage, now_ms)
    wait = slow.seconds or 0.0 if slow is not None else 0.0
    answer = faults.take(conn, "answer", stage, now_ms)
    if answer is not None:
        return Orders(wait, answer.code, hang_up=False, lose=False)
    hang_up = faults.take(conn, "hang_up", stage, now_ms) is not None
    lose = not hang_up and faults.take(conn, "lose", stage, now_ms) is not None
    return Orders(wait, None, hang_up, lose)


def keep(
    conn: sqlite3.Connection, sender: str, recipients: Sequence[str], source: bytes, now_ms: int, kept: int
) -> None:
    """Keep a mail once for each recipient."""
    contents = read(source)
    for recipient in recipients:
        conn.execute(
            "INSERT INTO mails (at_ms, sender, recipient, subject, message_id, code, source) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (now_ms, sender, recipient, contents.subject, contents.message_id, contents.code, source),
        )
    conn.execute("DELETE FROM mails WHERE id <= (SELECT max(id) FROM mails) - ?", (kept,))


def note(conn: sqlite3.Connection, recipient: str, reply: str, now_ms: int) -> None:
    """Remember what was answered to one offer, or that the connection was cut."""
    name = {"2": "taken", "5": "refused", "4": "put off"}.get(reply[:1], "dropped")
    conn.execute(
        "INSERT INTO offers (at_ms, recipient, reply) VALUES (?, ?, ?)", (now_ms, recipient[:200], reply[:200])
    )
    conn.execute("DELETE FROM offers WHERE seq <= (SELECT max(seq) FROM offers) - ?", (KEPT_OFFERS,))
    conn.execute(
        "INSERT INTO totals (name, count) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1", (name,)
    )


def latest(conn: sqlite3.Connection, limit: int, recipient: str | None = None) -> list[Mail]:
    """The newest mails first, to one address or to all."""
    rows = conn.execute(
        _LISTED + " WHERE ? IS NULL OR recipient = ? COLLATE NOCASE ORDER BY id DESC LIMIT ?",
        (recipient, recipient, limit),
    )
    return [Mail(**row) for row in rows]


def find(conn: sqlite3.Connection, number: int) -> Mail | None:
    """One mail."""
    row = conn.execute(_LISTED + " WHERE id = ?", (number,)).fetchone()
    return None if row is None else Mail(**row)


def offers(conn: sqlite3.Connection, limit: int) -> list[dict[str, object]]:
    """What was answered lately, newest first."""
    rows = conn.execute("SELECT at_ms, recipient, reply FROM offers ORDER BY seq DESC LIMIT ?", (limit,))
    return [dict(row) for row in rows]


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """How many offers were taken, refused, put off or dropped since the file was made."""
    found = {row["name"]: row["count"] for row in conn.execute("SELECT name, count FROM totals")}
    return {name: found.get(name, 0) for name in TOTALS}


def clear(conn: sqlite3.Connection) -> None:
    """Drop all mails and what is known of offers."""
    conn.execute("DELETE FROM mails")
    conn.execute("DELETE FROM offers")


def count(conn: sqlite3.Connection) -> int:
    """How many mails are kept."""
    return int(conn.execute("SELECT count(*) FROM mails").fetchone()[0])
