"""Counters with an end, in SQL: how often something happened in a window, and until when it is refused.

They lie in SQL and not in the store because a store that is lost must not give a guesser new tries. Every move is one
guarded statement, so that callers at the same moment never count to more than the limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from hutong.kernel.db import insert_if_absent
from hutong.kernel.identity.tables import tallies


@dataclass(frozen=True, slots=True)
class Tally:
    """One counter as it is at present."""

    count: int
    ends_at: datetime
    locked_until: datetime | None


def take(
    conn: Connection, realm: str, bucket: str, limit: int, span: timedelta, now: datetime, *, slides: bool = False
) -> bool:
    """Count one more unless the window is full or locked. Returns whether it was counted.

    Args:
        conn: the unit of work.
        realm, bucket: name the counter.
        limit: most counts of a window.
        span: length of the window, from its first count; from its latest one if it `slides`.
        now: the present moment.
        slides: whether each count prolongs the window.
    """
    ends_at = now + span
    prolonged = {"ends_at": ends_at} if slides else {}
    open_ = (tallies.c.ends_at > now, tallies.c["count"] < limit, tallies.c.locked_until.is_(None))
    more = update(tallies).where(*_named(realm, bucket), *open_)
    more = more.values(count=tallies.c["count"] + 1, **prolonged)
    over = update(tallies).where(*_named(realm, bucket), tallies.c.ends_at <= now)
    over = over.values(count=1, ends_at=ends_at, locked_until=None)
    if conn.execute(more).rowcount == 1 or conn.execute(over).rowcount == 1:
        return True
    row = {"realm": realm, "bucket": bucket, "count": 1, "ends_at": ends_at}
    return insert_if_absent(conn, tallies, row) or conn.execute(more).rowcount == 1


def give_back(conn: Connection, realm: str, bucket: str) -> None:
    """Undo one `take`, for what turned out not to count."""
    conn.execute(
        update(tallies).where(*_named(realm, bucket), tallies.c["count"] > 0).values(count=tallies.c["count"] - 1)
    )


def lock_if_full(conn: Connection, realm: str, bucket: str, limit: int, until: datetime) -> bool:
    """Lock a counter that has reached its limit and is not locked. Returns whether this call did it."""
    full = (*_named(realm, bucket), tallies.c["count"] >= limit, tallies.c.locked_until.is_(None))
    return conn.execute(update(tallies).where(*full).values(locked_until=until, ends_at=until)).rowcount == 1


def clear(conn: Connection, realm: str, bucket: str) -> None:
    """Begin from nothing, and open what is locked."""
    conn.execute(update(tallies).where(*_named(realm, bucket)).values(count=0, locked_until=None))


def find(conn: Connection, realm: str, bucket: str) -> Tally | None:
    """The counter, if there is one."""
    columns = tallies.c
    row = conn.execute(
        select(columns["count"], columns.ends_at, columns.locked_until).where(*_named(realm, bucket))
    ).first()
    return Tally(*row) if row else None


def _named(realm: str, bucket: str) -> tuple[ColumnElement[bool], ...]:
    return tallies.c.realm == realm, tallies.c.bucket == bucket
