"""Submission slots: how much work a provider is given at once and how fast, counted over all workers in SQL.

A slot belongs to one piece of work from admission until the provider has finished with it; it is taken and freed in the
same transactions that move the work, so that a killed worker cannot leak one. Source: reference/emoji.md §2.4.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Integer, String, Table, UniqueConstraint, select, update

from hutong.kernel.db import UtcTime, insert_if_absent, metadata

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
    """No slot now. `retry_at` is set when the pace or a pause holds things up; else a slot must be freed first."""

    retry_at: datetime | None


def lock_lane(conn: Connection, lane: Lane, now: datetime) -> Open | Busy:
    """Lock a lane until the transaction ends and say whether it has room.

    Callers queue up here, so choose what is to run after this call: what was chosen before may have been taken.
    """
    insert_if_absent(conn, provider_paces, {"lane": lane.name, "next_at": now})
    pace = conn.execute(select(provider_paces).where(provider_paces.c.lane == lane.name).with_for_update()).one()
    if pace.paused_until is not None and pace.paused_until > now:
        return Busy(pace.paused_until)
    taken = set(conn.execute(select(provider_slots.c.slot).where(provider_slots.c.lane == lane.name)).scalars())
    free = next((slot for slot in range(lane.in_flight) if slot not in taken), None)
    if free is None:
        return Busy(None)
    if pace.next_at > now and pace.next_at - now <= timedelta(seconds=1 / lane.per_second):
        return Busy(pace.next_at)
    return Open(free)


def take_slot(conn: Connection, lane: Lane, free: Open, ref_id: str, now: datetime) -> None:
    """Give the slot that `lock_lane` found to `ref_id`, and let the lane's pace run."""
    conn.execute(provider_slots.insert().values(lane=lane.name, slot=free.slot, ref_id=ref_id, taken_at=now))
    following = now + timedelta(seconds=1 / lane.per_second)
    conn.execute(update(provider_paces).where(provider_paces.c.lane == lane.name).values(next_at=following))


def pause_lane(conn: Connection, lane_name: str, until: datetime, now: datetime) -> None:
    """Give a lane's provider nothing before `until`: it refuses the account, and asking on would only burn work."""
    insert_if_absent(conn, provider_paces, {"lane": lane_name, "next_at": now})
    conn.execute(update(provider_paces).where(provider_paces.c.lane == lane_name).values(paused_until=until))


def reserve_turn(conn: Connection, lane_name: str, per_second: float, longest: float, now: datetime) -> float | None:
    """Take the next turn of a paced call that holds no slot, and return the seconds to wait for it.

    None, nothing taken, when the line is longer than `longest` seconds.
    """
    insert_if_absent(conn, provider_paces, {"lane": lane_name, "next_at": now})
    pace = conn.execute(select(provider_paces).where(provider_paces.c.lane == lane_name).with_for_update()).one()
    wait: float = max(0.0, (pace.next_at - now).total_seconds())
    if wait > 10 * longest + 60:
        wait = 0.0  # a clock far ahead wrote that; no honest line is so long
    elif wait > longest:
        return None
    following = now + timedelta(seconds=wait) + timedelta(seconds=1 / per_second)
    conn.execute(update(provider_paces).where(provider_paces.c.lane == lane_name).values(next_at=following))
    return wait


def free_slot(conn: Connection, lane_name: str, ref_id: str) -> bool:
    """Give back the slot of `ref_id`. Returns whether it held one."""
    held = (provider_slots.c.lane == lane_name, provider_slots.c.ref_id == ref_id)
    return conn.execute(provider_slots.delete().where(*held)).rowcount == 1
