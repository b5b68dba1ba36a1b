"""Mails get their turns in the order in which they asked, over all workers."""

from hutong.kernel.mail import Pace
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock, SystemClock

CLOCK = SystemClock()


async def test_turns_are_given_in_the_order_in_which_they_were_asked_for(store: Store) -> None:
    """Each keeps its turn however often it asks; another process knows of it; a pause allows ten seconds' worth at once."""
    one, other = (Pace(store, CLOCK, 6) for _ in range(2))
    waits = [await pace.wait(number) for number, pace in enumerate((one, other, one))]
    again = [await one.wait(number) for number in (1, 2)]
    burst = [await Pace(store, CLOCK, 60).wait(100 + number) for number in range(3)]

    assert waits[0] == 0
    assert [round(wait, -1) for wait in waits[1:]] == [10, 20]
    assert [round(wait, -1) for wait in again] == [10, 20]
    assert burst == sorted(burst) and burst[0] > 15


async def test_a_quiet_time_allows_ten_seconds_worth_at_once(store: Store) -> None:
    waits = [await Pace(store, CLOCK, 60).wait(number) for number in range(12)]

    assert waits[:10] == [0.0] * 10
    assert all(0 < wait <= 2 for wait in waits[10:])


async def test_the_pace_is_kept_without_a_store() -> None:
    nowhere, clock = Store("unix:///nonexistent/valkey.sock"), ManualClock(CLOCK.now())
    pace = Pace(nowhere, clock, 6)
    waits = [await pace.wait(number) for number in range(2)]
    clock.advance(10)
    waits.append(await pace.wait(1))
    await nowhere.close()

    assert waits == [0.0, 10.0, 0.0]
