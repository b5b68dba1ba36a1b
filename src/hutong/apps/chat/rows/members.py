"""Queries of members: what a user of this app has beside an account."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from hutong.apps.chat.rows.errors import MemberUnknown, UsernameTaken
from hutong.apps.chat.rows.tables import chat_members
from hutong.kernel.db import insert_if_absent
from hutong.kit.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as SQL has them.

    Args:
        user_id: of the account.
        username: as typed.
        is_vip: whether the limits and models of VIPs are theirs.
        daily_requests, monthly_requests, daily_tokens, monthly_tokens: limits of their own; None is the installation's.
        created_at, updated_at: moments.
    """

    user_id: int
    username: str
    is_vip: bool
    daily_requests: int | None
    monthly_requests: int | None
    daily_tokens: int | None
    monthly_tokens: int | None
    created_at: datetime
    updated_at: datetime


COLUMNS = [chat_members.c[name] for name in MemberRow.__dataclass_fields__]


def add_member(conn: Connection, user_id: int, username: str, key: str, now: datetime) -> None:
    """Give a new user what this app keeps of them.

    Raises:
        UsernameTaken: somebody has a name of this key.
    """
    row = {"user_id": user_id, "username": username, "username_key": key, "is_vip": False}
    if not insert_if_absent(conn, chat_members, row | {"created_at": now, "updated_at": now}):
        raise UsernameTaken


def find_member(conn: Connection, user_id: int) -> MemberRow | None:
    """The member, if the user is one."""
    row = conn.execute(select(*COLUMNS).where(chat_members.c.user_id == user_id)).first()
    return MemberRow(*row) if row else None


def get_member(conn: Connection, user_id: int) -> MemberRow:
    """The member.

    Raises:
        MemberUnknown.
    """
    found = find_member(conn, user_id)
    if found is None:
        raise MemberUnknown
    return found


def find_user_id(conn: Connection, username_key: str) -> int | None:
    """Who has this name."""
    return conn.execute(select(chat_members.c.user_id).where(chat_members.c.username_key == username_key)).scalar()


def list_members(
    conn: Connection, request: PageRequest, *, part: str | None = None, also: Collection[int] = ()
) -> Page[MemberRow]:
    """Members, the newest first.

    Args:
        conn: the unit of work.
        request: which page.
        part: of a username's key, in the members that are wanted; all of them when left out.
        also: ids of users who are wanted whatever they are called.
    """
    columns = chat_members.c
    query = select(*COLUMNS)
    if part is not None:
        query = query.where(or_(columns.username_key.contains(part, autoescape=True), columns.user_id.in_(also)))
    total = conn.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    newest = query.order_by(columns.user_id.desc()).limit(request.page_size).offset(request.offset)
    return Page([MemberRow(*row) for row in conn.execute(newest)], total, request.page, request.page_size)


def rename_member(conn: Connection, user_id: int, username: str, key: str, now: datetime) -> None:
    """Give a member another name.

    Raises:
        UsernameTaken, MemberUnknown.
    """
    try:
        change_member(conn, user_id, {"username": username, "username_key": key}, now)
    except IntegrityError as error:
        raise UsernameTaken from error


def change_member(conn: Connection, user_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """Set columns of a member.

    Raises:
        MemberUnknown.
    """
    changed = {**values, "updated_at": now}
    if conn.execute(update(chat_members).where(chat_members.c.user_id == user_id).values(**changed)).rowcount != 1:
        raise MemberUnknown


def remove_member(conn: Connection, user_id: int) -> None:
    """Forget what this app keeps of a user; the name is free again."""
    conn.execute(delete(chat_members).where(chat_members.c.user_id == user_id))
