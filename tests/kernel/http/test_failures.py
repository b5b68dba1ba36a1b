"""A limit that only failures count against."""

from datetime import UTC, datetime

import pytest

from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.http.limits import Limit, Limiter, LimitExceeded
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC))


@pytest.fixture
def limit(store: Store, clock: ManualClock) -> FailureLimit:
    return FailureLimit(Limit("tries", 3), Limiter(store, clock), store, clock)


async def test_whoever_never_fails_passes_for_ever(limit: FailureLimit) -> None:
    for _ in range(50):
        await limit.check("10.0.0.1")


async def test_one_failure_too_many_closes_the_door_for_that_one(limit: FailureLimit, clock: ManualClock) -> None:
    """Before any work is done for it, with the time to wait; others pass."""
    for _ in range(3):
        await limit.count("10.0.0.1")
        await limit.check("10.0.0.1")
    await limit.count("10.0.0.1")
    with pytest.raises(LimitExceeded) as refused:
        await limit.check("10.0.0.1")
    await limit.check("10.0.0.2")
    clock.advance(20)
    with pytest.raises(LimitExceeded) as later:
        await limit.check("10.0.0.1")

    assert refused.value.retry_after and later.value.retry_after
    assert refused.value.retry_after - later.value.retry_after == pytest.approx(20)


async def test_without_a_store_nobody_is_refused(clock: ManualClock) -> None:
    away = Store("redis://127.0.0.1:1/0")
    limit = FailureLimit(Limit("tries", 1), Limiter(away, clock), away, clock)
    for _ in range(5):
        await limit.count("10.0.0.1")
    await limit.check("10.0.0.1")
    await away.close()
