"""Granting, revoking and asking for memberships. A membership without an end lasts for life."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select, update

from hutong.kernel.db import insert_if_absent, upsert
from hutong.kernel.entitlements.tables import memberships


@dataclass(frozen=True, slots=True)
class Membership:
    """A plan that a user holds. `ends_at` is None for life."""

    plan: str
    ends_at: datetime | None


def grant_membership(conn: Connection, user_id: int, plan: str, ends_at: datetime | None, now: datetime) -> None:
    """Give a user a plan until `ends_at`, or move the end of the one held."""
    changed = {"ends_at": ends_at, "updated_at": now}
    upsert(conn, memberships, ["user_id", "plan"], {"user_id": user_id, "plan": plan} | changed, changed)


def extend_membership(conn: Connection, user_id: int, plan: str, days: int, now: datetime) -> datetime | None:
    """Add days to a plan: to what is left of it, or from now on. One for life stays so.

    Two extensions at once add up. Returns the new end; None for life.
    """
    insert_if_absent(conn, memberships, {"user_id": user_id, "plan": plan, "ends_at": now, "updated_at": now})
    return _shift(conn, user_id, plan, timedelta(days=days), now)


def shorten_membership(conn: Connection, user_id: int, plan: str, days: int, now: datetime) -> None:
    """Take days off what is left of a plan; it ends now at the earliest. One for life, or that ended, stays as it is."""
    _shift(conn, user_id, plan, -timedelta(days=days), now)


def _shift(conn: Connection, user_id: int, plan: str, by: timedelta, now: datetime) -> datetime | None:
    held = and_(memberships.c.user_id == user_id, memberships.c.plan == plan)
    ends_at = conn.execute(select(memberships.c.ends_at).where(held).with_for_update()).scalar()
    if ends_at is None or (by < timedelta(0) and ends_at <= now):
        return None
    moved: datetime = max(max(ends_at, now) + by, now)
    conn.execute(update(memberships).where(held).values(ends_at=moved, updated_at=now))
    return moved


def revoke_membership(conn: Connection, user_id: int, plan: str) -> bool:
    """Take a plan away. Returns whether the user held it."""
    held = (memberships.c.user_id == user_id, memberships.c.plan == plan)
    return conn.execute(memberships.delete().where(*held)).rowcount == 1


def find_active(conn: Connection, user_id: int, now: datetime) -> Membership | None:
    """The membership that lasts longest of those which have not ended, or None."""
    live = or_(memberships.c.ends_at.is_(None), memberships.c.ends_at > now)
    query = select(memberships.c.plan, memberships.c.ends_at).where(memberships.c.user_id == user_id, live)
    held = [Membership(*row) for row in conn.execute(query)]
    endless = [item for item in held if item.ends_at is None]
    return endless[0] if endless else max(held, key=lambda item: item.ends_at or now, default=None)
