"""A vendor and a counter for every test of orders."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hutong.kernel.db import Database
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock
from support.shop import START, Counter, Vendor, make_counter, open_vendor


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def vendor(tmp_path: Path, clock: ManualClock) -> Iterator[Vendor]:
    with open_vendor(tmp_path, clock) as made:
        yield made


@pytest.fixture
async def counter(db: Database, store: Store, vendor: Vendor, clock: ManualClock) -> AsyncIterator[Counter]:
    """Late payments revive; at the end every promise about the data is checked."""
    made = make_counter(db, store, vendor, clock)
    yield made
    assert await made.broken() == []


@pytest.fixture
async def strict(db: Database, store: Store, vendor: Vendor, clock: ManualClock) -> AsyncIterator[Counter]:
    """Late payments go back."""
    made = make_counter(db, store, vendor, clock, late_payment="refund")
    yield made
    assert await made.broken() == []
