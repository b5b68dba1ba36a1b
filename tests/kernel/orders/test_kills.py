"""kill -9 at every failpoint in the life of an order: paid once, handed over once, given back once. Source: reference O14."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hutong
from faults.failpoints import OF_ORDERS
from hutong.kernel.credits import balance_of
from support.shop import PRICE, Counter

PLACES = (Path(hutong.__file__).parents[1], Path(__file__).parents[2])


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_killed_at_every_failpoint_everything_happens_once(
    counter: Counter, database_url: str, store_url: str, tmp_path: Path
) -> None:
    """One process after the other dies where it comes by an armed failpoint first; the next one goes on."""
    folder = tmp_path / "failpoints"
    folder.mkdir()
    for name in OF_ORDERS:
        (folder / name).touch()
    deaths = await asyncio.to_thread(_die_often, folder, [database_url, store_url, str(tmp_path / "vendor.db")])
    orders = await counter.rows("SELECT order_no, status, refunded FROM orders ORDER BY id")
    fulfilled = await counter.number("SELECT COUNT(*) FROM order_events WHERE cause = 'fulfilled'")

    assert deaths == len(OF_ORDERS)
    assert [tuple(row)[1:] for row in orders] == [("refunded", PRICE), ("cancelled", 0), ("paid", 0)]
    assert fulfilled == 2
    assert await counter.db.read(balance_of, 7) == 200
    assert counter.vendor.given_back(orders[0].order_no) == PRICE


def _die_often(folder: Path, shop: list[str]) -> int:
    """Let shoppers live until one is not killed; returns how many were."""
    command = [sys.executable, "-m", "support.shopper", *shop]
    environment = {**os.environ, "HUTONG_FAILPOINTS": str(folder), "PYTHONPATH": os.pathsep.join(map(str, PLACES))}
    ended = subprocess.run(command, env=environment, timeout=150, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert list(folder.iterdir()) == [], "nobody came by these failpoints"
    return int(ended.stdout.splitlines()[-1])
