"""Submission slots: how much work a provider is given at once and how fast, counted over all workers in SQL.

A slot belongs to one piece of work from admission until the provider has finished with it; it is taken and freed in the
same transactions that move the work, so that a killed worker cannot leak one. Paces and pauses go by the database's
clock, as whoever waits and whoever wrote may be two machines. Source: reference/emoji.md §2.4.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    select,
    update,
)

from hutong.kernel.db import UtcTime, insert_if_absent, metadata, now_plus, utc_now

VIDEO_LANE = "image_to_video"
"""The lane of the image-to-video port, whoever provides it."""

provider_slots = Table(
    "provider_slots",
    metadata,
    Column("lane", String(32), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("ref_id", String(64), nullable=False),
    Column("taken_at", UtcTime, nullable=False),
    UniqueConstraint("lane", "ref_id"),
)

provider_paces = Table(
    "provider_paces",
    metadata,
    Column("lane", String(32), primary_key=True),
    Column("next_at", UtcTime, nullable=False),
    Column("paused_until", UtcTime),
)


@dataclass(frozen=True, slots=True)
class Lane:
    """What a provider allows.

    Args:
        name: of the lane, as in `VIDEO_LANE`.
        in_flight: pieces of work at once.
        per_second: submissions a second.
    """

    name: str
    in_flight: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Open:
    """A slot is free; `take_slot` takes it in the same transaction."""

    slot: int


@dataclass(frozen=True, slots=True)
class Busy:
    """No slot now. `seconds` says how long the pace or a pause holds things up; without, a slot must be freed first."""

    seconds: float | None


def lock_lane(conn: Connection, lane: Lane) -> Open | Busy:
    """Lock a lane until the transaction ends and say whether it has room.

    Callers queue up here, so choose what is to run after this call: what was chosen before may have been taken.
    """
    pace = _locked_pace(conn, lane.name)
    if pace.paused_until is not None and pace.paused_until > pace.now:
        return Busy((pace.paused_until - pace.now).total_seconds())
    taken = set(conn.execute(select(provider_slots.c.slot).where(provider_slots.c.lane == lane.name)).scalars())
    free = next((slot for slot in range(lane.in_flight) if slot not in taken), None)
    if free is None:
        return Busy(None)
    wait = (pace.next_at - pace.now).total_seconds()
    return Busy(wait) if 0 < wait <= 1 / lane.per_second else Open(free)


def take_slot(conn: Connection, lane: Lane, free: Open, ref_id: str) -> None:
    """Give the slot that `lock_lane` found to `ref_id`, and let the lane's pace run."""
    conn.execute(provider_slots.insert().values(lane=lane.name, slot=free.slot, ref_id=ref_id, taken_at=utc_now()))
    _set_pace(conn, lane.name, next_at=now_plus(_thousandths(1 / lane.per_second)))


def pause_lane(conn: Connection, lane_name: str, seconds: float) -> None:
    """Give a lane's provider nothing for so long: it refuses the account, and asking on would only burn work."""
    insert_if_absent(conn, provider_paces, {"lane": lane_name, "next_at": utc_now()})
    _set_pace(conn, lane_name, paused_until=now_plus(_thousandths(seconds)))


def reserve_turn(conn: Connection, lane_name: str, per_second: float, longest: float) -> float | None:
    """Take the next turn of a paced call that holds no slot, and return the seconds to wait for it.

    None, nothing taken, when the line is longer than `longest` seconds.
    """
    pace = _locked_pace(conn, lane_name)
    wait: float = max(0.0, (pace.next_at - pace.now).total_seconds())
    if wait > 10 * longest + 60:
        wait = 0.0  # the database's clock was set back; no honest line is so long
    elif wait > longest:
        return None
    _set_pace(conn, lane_name, next_at=now_plus(_thousandths(wait + 1 / per_second)))
    return wait


def _locked_pace(conn: Connection, lane_name: str) -> Row[Any]:
    """A lane's pace, locked until the transaction ends, and the database's time as `now`."""
    insert_if_absent(conn, provider_paces, {"lane": lane_name, "next_at": utc_now()})
    pace = select(provider_paces, utc_now().label("now")).where(provider_paces.c.lane == lane_name)
    return conn.execute(pace.with_for_update()).one()


def _set_pace(conn: Connection, lane_name: str, **moments: ColumnElement[Any]) -> None:
    conn.execute(update(provider_paces).where(provider_paces.c.lane == lane_name).values(**moments))


def _thousandths(seconds: float) -> float:
    return round(seconds, 3)


def free_slot(conn: Connection, lane_name: str, ref_id: str) -> bool:
    """Give back the slot of `ref_id`. Returns whether it held one."""
    held = (provider_slots.c.lane == lane_name, provider_slots.c.ref_id == ref_id)
    return conn.execute(provider_slots.delete().where(*held)).rowcount == 1
