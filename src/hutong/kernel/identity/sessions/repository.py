"""Rows of sessions: the truth about who is signed in where. For `Sessions` and `Endings` only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import ColumnElement, Connection, or_, select, update

from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import UserBlocked
from hutong.kernel.identity.sessions.tables import EndReason, sessions
from hutong.kernel.identity.tables import UserStatus, users
from hutong.kernel.identity.users import get_user

STILL_TOLD = timedelta(minutes=5)
"""How long after its end a session is named to the store again by whoever ends all: seals are long over by then."""
FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its user may see it in a list of devices.

    Args:
        id: of the session.
        device_id, agent, address: of the call that used it last.
        created_at: when the user signed in.
        last_used_at: when its tokens were renewed last, or the sign-in.
        expires_at: when it ends unless it is renewed.
    """

    id: int
    device_id: str | None
    agent: str | None
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be written down."""

    id: int
    realm: str
    user_id: int
    stamp: str
    now: datetime
    expires_at: datetime
    lasts_until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session stands.

    Args:
        counter: of its newest pair that was handed out.
        last_used_at: when that was.
    """

    counter: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class Renewal:
    """A pair of tokens that takes the place of the one before; `counter` is its own."""

    realm: str
    user_id: int
    session_id: int
    counter: int
    stamp: str
    now: datetime
    expires_at: datetime


class Confirmed(Enum):
    """What SQL says to a renewal."""

    YES = auto()
    PASSED_BY = auto()
    """The session was renewed again meanwhile."""
    NO = auto()
    """It has ended, or another pair was handed out in this one's place."""


def add_session(conn: Connection, new: NewSession, client: Client, most: int) -> Sequence[int]:
    """Write a session down, and end those used longest ago beyond `most`; returns which.

    Raises:
        UserUnknown, UserBlocked.
    """
    if get_user(conn, new.realm, new.user_id).status is not UserStatus.ACTIVE:
        raise UserBlocked
    row = {
        "id": new.id,
        "realm": new.realm,
        "user_id": new.user_id,
        **_seen(client),
        "counter": 0,
        "stamp": new.stamp,
        "created_at": new.now,
        "last_used_at": new.now,
        "expires_at": new.expires_at,
        "lasts_until": new.lasts_until,
    }
    conn.execute(sessions.insert().values(**row))
    others = [view.id for view in list_live(conn, new.realm, new.user_id, new.now) if view.id != new.id]
    evicted = others[most - 1 :]
    end_sessions(conn, new.realm, new.user_id, evicted, EndReason.EVICTED, new.now)
    return evicted


def list_live(conn: Connection, realm: str, user_id: int, now: datetime) -> list[SessionView]:
    """Sessions that have not ended, the one used last first."""
    columns = [sessions.c[name] for name in SessionView.__dataclass_fields__]
    live = select(*columns).where(*_of(realm, user_id), sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
    newest_first = live.order_by(sessions.c.last_used_at.desc(), sessions.c.id.desc())
    return [SessionView(*row) for row in conn.execute(newest_first)]


def find_standing(conn: Connection, realm: str, user_id: int, session_id: int) -> Standing | None:
    """Where a session stands; None when it has ended or its user is blocked or gone."""
    query = (
        select(sessions.c.counter, sessions.c.last_used_at)
        .join(users, users.c.id == sessions.c.user_id)
        .where(*_live(realm, user_id, session_id), users.c.realm == realm, users.c.status == UserStatus.ACTIVE)
    )
    row = conn.execute(query).first()
    return Standing(*row) if row else None


def confirm(conn: Connection, renewal: Renewal, client: Client) -> Confirmed:
    """Write a renewal down before its tokens are handed out; the same one may be confirmed by several callers."""
    live = _live(renewal.realm, renewal.user_id, renewal.session_id)
    values = {
        "counter": renewal.counter,
        "stamp": renewal.stamp,
        "last_used_at": renewal.now,
        "expires_at": renewal.expires_at,
        **{name: value for name, value in _seen(client).items() if value is not None},
    }
    moved = update(sessions).where(*live, sessions.c.counter == renewal.counter - 1).values(**values)
    if conn.execute(moved).rowcount == 1:
        return Confirmed.YES
    row = conn.execute(select(sessions.c.counter, sessions.c.stamp).where(*live)).first()
    if row is not None and row.counter > renewal.counter:
        return Confirmed.PASSED_BY
    same = row is not None and (row.counter, row.stamp) == (renewal.counter, renewal.stamp)
    return Confirmed.YES if same else Confirmed.NO


def list_to_end(
    conn: Connection, realm: str, user_id: int, now: datetime, keep: int | None = None
) -> tuple[list[int], list[int]]:
    """A user's sessions but `keep`: those that have not ended, and those that ended a moment ago."""
    recent = or_(sessions.c.ended_at.is_(None), sessions.c.ended_at > now - STILL_TOLD)
    query = select(sessions.c.id, sessions.c.ended_at).where(*_of(realm, user_id), recent)
    rows = [row for row in conn.execute(query) if row.id != keep]
    return [row.id for row in rows if row.ended_at is None], [row.id for row in rows if row.ended_at is not None]


def end_sessions(
    conn: Connection, realm: str, user_id: int, session_ids: Sequence[int], reason: EndReason, now: datetime
) -> int:
    """End those of a user's sessions that have not ended; returns how many."""
    if not session_ids:
        return 0
    live = (*_of(realm, user_id), sessions.c.id.in_(session_ids), sessions.c.ended_at.is_(None))
    return conn.execute(update(sessions).where(*live).values(ended_at=now, end_reason=reason)).rowcount


def forget_old(conn: Connection, before: datetime) -> int:
    """Delete some sessions whose tokens ran out before `before`; returns how many, 0 when none is left."""
    over = select(sessions.c.id).where(sessions.c.expires_at < before).limit(FORGOTTEN_AT_ONCE)
    ids = conn.execute(over).scalars().all()
    if not ids:
        return 0
    return conn.execute(sessions.delete().where(sessions.c.id.in_(ids))).rowcount


def _of(realm: str, user_id: int) -> tuple[ColumnElement[bool], ...]:
    return sessions.c.user_id == user_id, sessions.c.realm == realm


def _live(realm: str, user_id: int, session_id: int) -> tuple[ColumnElement[bool], ...]:
    return (*_of(realm, user_id), sessions.c.id == session_id, sessions.c.ended_at.is_(None))


def _seen(client: Client) -> dict[str, str | None]:
    return {"device_id": client.device_id, "agent": client.agent, "address": client.address}
