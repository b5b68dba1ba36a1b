"""Machine numbers: who has one can make ids, also after its clock was set back."""

from datetime import UTC, datetime, timedelta

import pytest

from hutong.kernel.db import Database
from hutong.kernel.jobs import LeasedIds
from hutong.kernel.jobs.machines import IdsUnavailable
from hutong.kit.clock import ManualClock
from hutong.kit.ids import created_at
from support.stand import until

HOUR = 3600.0


async def test_a_clock_that_was_set_back_costs_the_number_and_not_the_hour(db: Database) -> None:
    """Under the old number ids would have to wait for the clock to catch up; under another one they need not."""
    clock = ManualClock(datetime.now(UTC))  # noqa: TID251 - near the database's clock, which is the machine's
    ids = LeasedIds(db, clock)
    await ids.start()
    before, machine = ids(), ids.machine
    clock.step(-HOUR)
    with pytest.raises(IdsUnavailable) as refused:
        ids()
    assert refused.value.retry_after == 1

    async def works() -> bool:
        try:
            return ids() > 0
        except IdsUnavailable:
            return False

    await until(works, 10)
    after = ids()
    await ids.stop()

    assert ids.machine != machine
    assert created_at(before) - created_at(after) > timedelta(seconds=HOUR - 10)
