"""Two processes at once never pass a limit, and one that is killed leaves nothing that is not found."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from faults.failpoints import OF_QUOTAS
from hutong.kernel.db import Database
from hutong.kernel.observability.invariants import check
from hutong.kernel.quotas import INVARIANTS, Limits, Quotas, QuotaUse
from hutong.kit.clock import SystemClock
from kernel.quotas.reserving import USER

PROGRAM = Path(__file__).with_name("reserving.py")
TESTS = Path(__file__).parents[2]
ALL = Limits(None, None, None, None)
pytestmark = pytest.mark.slow


class Processes:
    """Starts processes over one database, and kills them at failpoints."""

    def __init__(self, orders: Path, url: str, db: Database) -> None:
        self._orders, self._url, self._db = orders, url, db
        self.quotas = Quotas("chat", SystemClock())

    async def start(self, verb: str, *numbers: int) -> asyncio.subprocess.Process:
        """A process that is ready and waits for its word."""
        path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(TESTS)])
        environment = {**os.environ, "HUTONG_FAILPOINTS": str(self._orders), "PYTHONPATH": path}
        words = [str(PROGRAM), self._url, verb, *map(str, numbers)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *words, env=environment, stdin=pipe, stdout=pipe)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    async def run(self, verb: str, *numbers: int, dies_at: str = "") -> None:
        """A process that does `verb` once, and dies at a failpoint if one is named."""
        if dies_at:
            (self._orders / dies_at).touch()
        process = await self.start(verb, *numbers)
        await process.communicate(b"go\n")
        assert process.returncode == (-signal.SIGKILL if dies_at else 0), f"{verb} ended with {process.returncode}"

    async def usage(self) -> QuotaUse:
        assert await self._db.read(check, INVARIANTS) == []
        return await self._db.read(self.quotas.usage, USER, ALL)


@pytest.fixture
def processes(tmp_path: Path, database_url: str, db: Database) -> Processes:
    orders = tmp_path / "orders"
    orders.mkdir()
    return Processes(orders, database_url, db)


async def test_two_hundred_at_once_in_two_processes_get_a_hundred_of_a_hundred(processes: Processes) -> None:
    """Half of them in one trip, half in a caller's transaction; the user's first request is among them."""
    both = [await processes.start("rush", first, 100, 100) for first in (1_000, 2_000)]
    said = await asyncio.gather(*(process.communicate(b"go\n") for process in both))
    use = await processes.usage()

    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(out) for out, _ in said) == 100
    assert (use.daily_requests.used, use.daily_requests.reserved) == (0, 100)
    assert (use.daily_tokens.reserved, use.monthly_tokens.reserved) == (10_000, 10_000)


@pytest.mark.parametrize(
    ("verb", "failpoint"), [("write", "quotas.reserve.taken"), ("reserve", "quotas.reserve.committed")]
)
async def test_one_that_died_before_or_after_it_reserved(
    processes: Processes, db: Database, verb: str, failpoint: str
) -> None:
    """Before the commit nothing was taken; after it the reservation is found, with its owner, once its time is over."""
    await processes.run(verb, 7, dies_at=failpoint)
    lost = await db.read(processes.quotas.expired)
    use = await processes.usage()

    if verb == "write":
        assert (lost, use.daily_requests.reserved, use.daily_tokens.reserved) == ([], 0, 0)
        return
    assert [(one.id, one.user_id, one.owner, one.tokens) for one in lost] == [(7, USER, "reply:7", 100)]
    assert (use.daily_requests.reserved, use.daily_tokens.reserved) == (1, 100)
    assert await db.write(processes.quotas.settle, 7, 30)
    assert (await processes.usage()).daily_tokens.used == 30


async def test_one_that_died_while_it_settled_left_it_open(processes: Processes, db: Database) -> None:
    """Whoever sweeps settles it, once."""
    await processes.run("write", 7)
    await processes.run("settle", 7, 60, dies_at="quotas.settle.closed")
    assert [one.id for one in await db.read(processes.quotas.expired)] == [7]
    await processes.run("settle", 7, 60)
    assert not await db.write(processes.quotas.settle, 7, 60)
    use = await processes.usage()

    assert (use.daily_tokens.used, use.daily_tokens.reserved, use.daily_requests.used) == (60, 0, 1)
    assert await db.read(processes.quotas.expired) == []


def test_every_failpoint_of_quotas_is_died_at_here() -> None:
    text = Path(__file__).read_text("utf-8")

    assert [name for name in OF_QUOTAS if f'"{name}"' not in text] == []
