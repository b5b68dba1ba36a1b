"""Slots, paces and pauses of a lane, by the database's clock, on every database."""

import pytest

from hutong.kernel.db import Connection, Database
from hutong.kernel.gateway import Busy, Lane, free_slot, lock_lane, pause_lane, take_slot
from hutong.kernel.gateway.slots import Open, reserve_turn

SLOW = Lane("slow", in_flight=2, per_second=0.5)
QUICK = Lane("quick", in_flight=2, per_second=1_000)


async def admitted(db: Database, lane: Lane, ref_id: str) -> Open | Busy:
    """Take a slot if there is one."""

    def unit(conn: Connection) -> Open | Busy:
        room = lock_lane(conn, lane)
        if isinstance(room, Open):
            take_slot(conn, lane, room, ref_id)
        return room

    return await db.write(unit)


async def test_a_lane_gives_as_many_slots_as_it_has(db: Database) -> None:
    rooms = [await admitted(db, QUICK, "a"), await _in_turn(db, "b"), await _in_turn(db, "c")]
    assert rooms == [Open(0), Open(1), Busy(None)]

    assert await db.write(free_slot, QUICK.name, "a")
    assert await _in_turn(db, "c") == Open(0)


async def _in_turn(db: Database, ref_id: str) -> Open | Busy:
    """Past the pace of a thousandth of a second."""
    while isinstance(room := await admitted(db, QUICK, ref_id), Busy) and room.seconds is not None:
        assert room.seconds <= 0.001
    return room


async def test_the_pace_says_how_long_to_wait(db: Database) -> None:
    assert await admitted(db, SLOW, "a") == Open(0)
    paced = await admitted(db, SLOW, "b")

    assert isinstance(paced, Busy) and paced.seconds is not None
    assert 0 < paced.seconds <= 2


async def test_a_paused_lane_says_when_it_goes_on(db: Database) -> None:
    await db.write(pause_lane, QUICK.name, 60.0)
    paused = await admitted(db, QUICK, "a")
    await db.write(pause_lane, QUICK.name, 0.0)

    assert isinstance(paused, Busy) and paused.seconds is not None
    assert 55 < paused.seconds <= 60
    assert await _in_turn(db, "a") == Open(0)


async def test_turns_follow_each_other_and_a_long_line_is_refused(db: Database) -> None:
    waits = [await db.write(reserve_turn, "detect", 1.0, 2.5) for _ in range(5)]

    assert waits[0] == 0
    assert waits[1:3] == [pytest.approx(1, abs=0.5), pytest.approx(2, abs=0.5)]
    assert waits[4] is None
