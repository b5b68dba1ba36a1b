"""Machines whose clocks differ agree on what is over, because the store's own clock measures the grace."""

from datetime import datetime, timedelta

import pytest

from hutong.kernel.identity.errors import RefreshReused
from hutong.kernel.identity.sessions import SessionPolicy
from hutong.kit.clock import SystemClock
from kernel.identity.signed_in import PHONE, House
from support.stand import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Astray(SystemClock):
    """A machine's clock that is so many seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


@pytest.mark.parametrize("seconds", [59.0, -59.0])
async def test_a_clock_a_minute_astray_takes_nobody_for_a_thief(house: House, seconds: float) -> None:
    """T24. By its own clock the grace would be over before it began, or would not have begun."""
    user = await house.user()
    right, astray = house.process(clock=SystemClock()), house.process(clock=Astray(seconds))
    first = await right.open(user, PHONE)
    second = await right.refresh(first.refresh_token, PHONE)

    assert await astray.refresh(first.refresh_token, PHONE) == second
    third = await astray.refresh(second.refresh_token, PHONE)
    assert await right.refresh(second.refresh_token, PHONE) == third
    house.clock = SystemClock()
    assert await house.is_admitted(right, third.access_token)
    assert await house.is_admitted(astray, third.access_token)
    assert await house.alarms(user) == []


async def test_the_grace_ends_by_the_stores_clock(house: House) -> None:
    """However often its token is presented: the end does not move."""
    policy = SessionPolicy(grace_seconds=0.5, most_reuses=100_000)
    user, sessions = await house.user(), house.process(policy=policy, clock=SystemClock())
    first = await sessions.open(user, PHONE)
    second = await sessions.refresh(first.refresh_token, PHONE)

    async def is_over() -> bool:
        try:
            assert await sessions.refresh(first.refresh_token, PHONE) == second
        except RefreshReused:
            return True
        return False

    await until(is_over, 5)
    assert await house.alive(user) == (0, 0, 0)
