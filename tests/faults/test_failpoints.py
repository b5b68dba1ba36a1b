"""kill -9 at every failpoint of the pipeline: each task is completed once, or failed with its points back once.

A phone that asks again with the same Idempotency-Key is all the help the server gets.
"""

import ast
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from faults.failpoints import ANSWER_UNKNOWN, FAILPOINTS, OF_ORDERS, OF_SESSIONS
from support.installation import Caller, calling, installed

SOURCE = Path(__file__).parents[2] / "src/hutong"
INSTALLATIONS = ["embedded", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "mariadb"))]
numbers = count(1)
pytestmark = [pytest.mark.slow, pytest.mark.random_order(disabled=True)]  # one installation after the other


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
    assert named_in_source() <= {*FAILPOINTS, *OF_ORDERS, *OF_SESSIONS}


@pytest.fixture(scope="module", params=INSTALLATIONS)
async def caller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """One installation for all failpoints: SQLite with the embedded store, or a database server with Redis."""
    environment = {}
    if request.param != "embedded":
        server, redis = request.getfixturevalue(f"{request.param}_server"), request.getfixturevalue("redis_server")
        redis.flush()
        environment = {"HUTONG_DATABASE_URL": server.create_database("faults"), "HUTONG_STORE_URL": redis.url}
    with installed(tmp_path_factory.mktemp("faults") / "data", environment) as installation:
        installation.up()
        async with calling(installation) as made:
            yield made


@pytest.mark.parametrize("name", FAILPOINTS)
async def test_killed_at(caller: Caller, name: str) -> None:
    """One user, one task, one death: one video, one charge, and the books are right."""
    number = next(numbers)
    phone = await caller.phone(f"device-{number:05d}")
    before = len(await caller.remote_tasks())
    caller.installation.arm(name)
    task = await caller.make_video(phone, number)
    await caller.answers()
    entries = await caller.again(lambda: phone.call("GET", "/points/transactions"))
    generations = len(await caller.remote_tasks()) - before

    assert not caller.installation.is_armed(name), "nobody came by the failpoint"
    assert task["status"] == "completed"
    assert [row["amount"] for row in entries.data["items"]] == [-10, 100]
    assert generations == (2 if name in ANSWER_UNKNOWN else 1)


async def test_the_books_are_right_after_all_that(caller: Caller) -> None:
    """Runs anywhere in the order: whatever was killed before must have left every promise kept."""
    verified = caller.installation.run("ledger", "verify")

    assert verified.returncode == 0, verified.stdout + verified.stderr
