"""Pay, expire and cancel at once: one of them wins, and the events are a chain. Source: reference O10."""

import asyncio
import random
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hutong.kernel.orders.errors import ChannelUnavailable, OrderAlreadyPaid, OrderExpired
from hutong.kernel.orders.repository import find
from hutong.kernel.orders.settling import Settling
from support.shop import Counter

ROUNDS, AT_ONCE, JITTER_SECONDS = 200, 10, 0.05


@pytest.mark.parametrize("policy", ["counter", "strict"])
async def test_two_hundred_times_pay_expire_and_cancel_at_once(
    policy: str, request: pytest.FixtureRequest, counter: Counter, strict: Counter
) -> None:
    """One move leaves pending, whatever the order of calls; the money is the shop's or back; nothing is fulfilled twice."""
    chosen = {"counter": counter, "strict": strict}[policy]
    dice, ends = random.Random(20261122), Tally[str]()
    rounds = ROUNDS if policy == "counter" else ROUNDS // 5
    for _ in range(rounds // AT_ONCE):
        made = await asyncio.gather(*(chosen.order() for _ in range(AT_ONCE)))
        await asyncio.gather(*(_race(chosen, order, dice) for order in made))
        await chosen.work_off()
        for order in made:
            moves = await chosen.moves(order)
            assert moves[0] == "pending" and "pending" not in moves[1:]
            assert moves[-1] == ("paid" if policy == "counter" or moves[1] == "paid" else "refunded")
            ends[moves[1]] += 1

    kept = await chosen.number("SELECT COUNT(*) FROM orders WHERE status = 'paid'")
    assert len(chosen.handed) == len(set(chosen.handed)) == kept
    assert set(ends) == {"paid", "expired", "cancelled"}


async def _race(counter: Counter, order: Any, dice: random.Random) -> None:
    """The vendor takes money that it should not have taken, too."""
    row = await counter.db.read(find, order.order_no)
    assert row is not None

    async def pay() -> None:
        letter = counter.vendor.pay_anyway(order.order_no)
        assert set(await asyncio.gather(counter.post(letter), counter.post(letter))) == {200}

    async def expire() -> None:
        await Settling(counter.shop).expire(row)

    async def cancel() -> None:
        await counter.orders.cancel(order.user_id, order.order_no)

    racers = [_later(work, dice.random() * JITTER_SECONDS) for work in (pay, expire, cancel)]
    outcomes = await asyncio.gather(*racers, return_exceptions=True)
    expected = (OrderAlreadyPaid, OrderExpired, ChannelUnavailable)
    assert [
        outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, expected)
    ] == []


async def _later(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """So that each of the racers is the first now and then, and gets in between the steps of the others."""
    await asyncio.sleep(seconds)
    await work()
