"""A short storm: random kills, freezes and mishaps under load, and not one promise lost or kept twice.

The long form is `make faults`; its page is docs/faults.md.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from faults.fleet import Fleet, fleet_on
from faults.run import run
from hutong.apps.emoji.generation.tables import emoji_tasks
from support.http import http_client
from support.stand import Phone, until

FAULTS = 20
SERVERS = [("postgresql", "redis"), ("mariadb", "cluster")]
PLACES = [("sqlite", "embedded"), *(pytest.param(*pair, marks=pytest.mark.server) for pair in SERVERS)]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("database", "store"), PLACES)
async def test_a_short_storm(tmp_path: Path, database: str, store: str) -> None:
    """Charges, results, refunds and submissions agree with what the customers were told."""
    async with fleet_on(tmp_path, database, store, lease_seconds=3.0) as fleet:
        outcome = await run(fleet, FAULTS, seed=4, pause=0.3)

    assert outcome.struck.total() >= FAULTS
    assert outcome.account.promised > 0
    assert (outcome.account.lost, outcome.account.doubled, outcome.account.broken) == ([], [], [])
    assert outcome.broken_meanwhile == []


@pytest.mark.server
async def test_a_paid_answer_waits_for_the_database(tmp_path: Path) -> None:
    """The vendor accepts while the database is out of reach: its id is written down afterwards, and nothing made twice."""
    async with fleet_on(tmp_path, "postgresql", "redis", lease_seconds=10.0) as fleet, calling_at(fleet) as phone:
        image_url = await phone.uploaded()
        await phone.call("POST", "/emoji/detect", json={"image_url": image_url})
        fleet.vendor.latency = 0.5
        created = await phone.create(image_url)
        await until(lambda: submitting(fleet))
        assert fleet.database.wire is not None
        await fleet.database.wire.cut(2.0)
        fleet.vendor.latency = 0.0
        await fleet.ready()
        task = await phone.ended(created.data["task_id"])
        remote = await fleet.vendor.tasks()

    assert task["status"] == "completed"
    assert len(remote) == 1


async def test_a_stored_video_is_kept_though_its_link_died(tmp_path: Path) -> None:
    """The worker dies after storing it, and the vendor's link dies too: the task completes, and nothing is refunded."""
    async with fleet_on(tmp_path, "sqlite", "embedded") as fleet, calling_at(fleet) as phone:
        fleet.installation.arm("emoji.store.saved")
        created = await phone.create(await phone.uploaded())
        await until(lambda: killed(fleet, "emoji.store.saved"))
        [remote] = await fleet.vendor.tasks()
        await fleet.vendor.press("expire-link", task_id=remote.id)
        task = await phone.ended(created.data["task_id"])

    assert task["status"] == "completed"


async def killed(fleet: Fleet, failpoint: str) -> bool:
    return not fleet.installation.is_armed(failpoint)


@asynccontextmanager
async def calling_at(fleet: Fleet) -> AsyncIterator[Phone]:
    async with http_client(30) as client:
        yield await Phone(client, fleet.base).login("device-0001")


async def submitting(fleet: Fleet) -> bool:
    """The call to the vendor is on its way; the vendor takes half a second to answer."""
    stages = select(emoji_tasks.c.id).where(emoji_tasks.c.submissions == 1)
    return bool(await fleet.host.kernel.db.read(lambda conn: conn.execute(stages).first()))
