"""The scenarios of the long form, shortened: the store away, a full disk, wrong clocks, a vendor at its worst."""

from pathlib import Path

import pytest

from faults.scenarios import (
    Ground,
    Scenario,
    clock_steps,
    disk_full,
    store_down,
    store_hung,
    vendor_misbehaves,
)

pytestmark = pytest.mark.slow
SHORT = [(store_down, 3.0), (store_hung, 4.0), (disk_full, 3.0), (clock_steps, 4.0), (vendor_misbehaves, 8.0)]


@pytest.mark.parametrize(("scenario", "seconds"), SHORT)
async def test_scenario(tmp_path: Path, scenario: Scenario, seconds: float) -> None:
    """Each keeps every promise; what it saw is its message."""
    found = await scenario(Ground(tmp_path, "sqlite", "embedded", seconds))

    assert found.kept, found.text


@pytest.mark.server
async def test_a_redis_that_is_down_holds_nobody_up(tmp_path: Path) -> None:
    found = await store_down(Ground(tmp_path, "postgresql", "redis", 3.0))

    assert found.kept, found.text
