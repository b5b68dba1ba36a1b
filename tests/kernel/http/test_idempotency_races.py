"""One of many requests with the same Idempotency-Key works, the others wait or get its answer; on every database."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

from hutong.kernel.db import Database
from hutong.kernel.http.idempotency import Claim, KeyInUse, Replay, begin, complete, make_claim

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LEASE = 10.0
numbers = count(1).__next__


def claims(many: int) -> list[Claim]:
    return [make_claim(7, "emoji.create", "the-key", {"style": "wave"}, numbers()) for _ in range(many)]


async def race(db: Database, racers: list[Claim], now: datetime) -> list[object]:
    calls = [db.write(begin, claim, now, LEASE) for claim in racers]
    return list(await asyncio.gather(*calls, return_exceptions=True))


async def test_of_racers_one_goes_ahead_and_all_get_its_answer_later(db: Database) -> None:
    racers = claims(20)
    outcomes = await race(db, racers, NOW)
    winner = racers[outcomes.index(None)]
    await db.write(complete, winner, 201, {"task_id": "1"})

    assert sum(isinstance(outcome, KeyInUse) for outcome in outcomes) == 19
    assert await race(db, claims(20), NOW) == [Replay(201, {"task_id": "1"})] * 20


async def test_of_racers_for_a_dead_request_s_key_one_takes_it_over(db: Database) -> None:
    await race(db, claims(1), NOW)
    outcomes = await race(db, claims(20), NOW + timedelta(seconds=LEASE))

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, KeyInUse) for outcome in outcomes) == 19
