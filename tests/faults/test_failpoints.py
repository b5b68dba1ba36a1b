"""kill -9 at every failpoint of the pipeline: each task is completed once, or failed with its points back once.

A phone that asks again with the same Idempotency-Key is all the help the server gets; a second API process and a second
worker are there to take over.
"""

import ast
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from faults.failpoints import (
    ANSWER_UNKNOWN,
    AROUND_TRANSACTIONS,
    FAILPOINTS,
    OF_ORDERS,
    OF_QUOTAS,
    OF_REPLIES,
    OF_SESSIONS,
)
from faults.fleet import Fleet, fleet_on
from faults.run import broken_promises
from support.http import http_client
from support.installation import Caller
from support.stand import photo

SOURCE = Path(__file__).parents[2] / "src/hutong"
QUICK = {"HUTONG_JOBS__SWEEP_SECONDS": "0.1", "HUTONG_EMOJI__POLL_SECONDS": "0.1"}
SPREAD = sorted(FAILPOINTS, key=lambda name: FAILPOINTS.index(name) % 8)
"""So that an API process that was killed is back before the next one dies: meanwhile it is the turn of workers."""
LEASE = 2.0
EMBEDDED = ("sqlite", "embedded")
SERVERS = [("postgresql", "redis"), ("mariadb", "redis")]
numbers = count(1)
pytestmark = [pytest.mark.slow, pytest.mark.random_order(disabled=True)]  # one fleet after the other


def named_in_source() -> set[str]:
    """The failpoints whose name is written out in the source."""
    names = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint":
                (name,) = node.args
                if isinstance(name, ast.Constant):
                    names.add(str(name.value))
    return names


def test_every_failpoint_of_the_source_is_tried() -> None:
    assert named_in_source() <= {*FAILPOINTS, *OF_ORDERS, *OF_QUOTAS, *OF_REPLIES, *OF_SESSIONS}
    assert set(AROUND_TRANSACTIONS) <= set(FAILPOINTS)


@pytest.fixture(scope="module")
async def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """One fleet for all failpoints."""
    database, store = request.param
    async with fleet_on(
        tmp_path_factory.mktemp(database), database, store, lease_seconds=LEASE, settings=QUICK
    ) as started:
        started.vendor.latency = 0.0
        yield started


@pytest.mark.parametrize("name", SPREAD)
@pytest.mark.parametrize("fleet", [EMBEDDED], indirect=True, ids="-".join)
async def test_killed_at(fleet: Fleet, name: str) -> None:
    """One user, one task, one death: one video, one charge, and the books are right."""
    await survives(fleet, name)


@pytest.mark.server
@pytest.mark.parametrize("name", AROUND_TRANSACTIONS)
@pytest.mark.parametrize("fleet", SERVERS, indirect=True, ids="-".join)
async def test_killed_around_a_transaction(fleet: Fleet, name: str) -> None:
    """As above, where the server has to find out that nobody will end what was begun."""
    await survives(fleet, name)


async def survives(fleet: Fleet, name: str) -> None:
    number = next(numbers)
    await fleet.ready()
    async with http_client(30) as client:
        caller = Caller(fleet.installation, client, fleet.base)
        phone = await caller.phone(f"device-{number:05d}")
        before = len(await fleet.vendor.tasks())
        fleet.installation.arm(name)
        task = await caller.make_video(phone, number, photo(shade=number))
        entries = await caller.again(lambda: phone.call("GET", "/points/transactions"))
        generations = len(await fleet.vendor.tasks()) - before

    assert not fleet.installation.is_armed(name), "nobody came by the failpoint"
    assert task["status"] == "completed"
    assert [row["amount"] for row in entries.data["items"]] == [-10, 100]
    assert generations == (2 if name in ANSWER_UNKNOWN else 1)
    assert await broken_promises(fleet) == []


@pytest.mark.parametrize("fleet", [EMBEDDED], indirect=True, ids="-".join)
async def test_the_operator_sees_that_the_books_are_right(fleet: Fleet) -> None:
    verified = fleet.installation.run("ledger", "verify")

    assert verified.returncode == 0, verified.stdout + verified.stderr
