"""The long run: customers come and go, faults strike one after the other, the promises are checked after each."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from faults.accounting import Account, account_of, jobs_left
from faults.faults import Storm
from faults.fleet import Fleet
from faults.load import Crowd
from faults.reclaims import Reclaims
from hutong.kit.errors import HutongError
from support.http import http_client
from support.stand import until

CUSTOMERS = 6
SETTLE_SECONDS = 120.0
Progress = Callable[[int, str], None]


@dataclass
class Outcome:
    """What a run found.

    Args:
        account: promises against facts.
        struck: faults by kind.
        seconds: how long the faults took.
        reclaims: seconds until a dead worker's job was taken over.
        broken_meanwhile: invariants that were broken at some moment in between.
    """

    account: Account
    struck: Counter[str]
    seconds: float
    reclaims: Sequence[float] = ()
    broken_meanwhile: list[str] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)

    @classmethod
    def nothing(cls) -> "Outcome":
        """No fault was asked for."""
        return cls(Account(), Counter(), 0.0)

    @property
    def clean(self) -> bool:
        return self.account.clean and not self.broken_meanwhile


async def run(fleet: Fleet, faults: int, seed: int, pause: float, progress: Progress = lambda _, __: None) -> Outcome:
    """Let so many faults strike.

    Args:
        fleet: started and whole.
        faults: how many.
        seed: of the choice of faults and of what customers do.
        pause: average seconds between two faults.
        progress: told the number of faults so far, and the last one.
    """
    rng = random.Random(seed)
    reclaims = Reclaims(fleet.host.kernel.db)
    storm = Storm(fleet, rng, reclaims)
    broken: list[str] = []
    async with http_client(30) as client:
        crowd = Crowd(client, fleet.base, random.Random(seed + 1))
        watching = [asyncio.create_task(work) for work in (reclaims.run(), storm.let_go())]
        crowd.open(CUSTOMERS)
        begun = time.monotonic()
        try:
            await _strike_all(storm, faults, pause, broken, progress)
            seconds = time.monotonic() - begun
            progress(storm.count, "waiting until everything has come to its end")
            account = await settled_account(fleet, crowd, storm)
        finally:
            await crowd.leave()
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    return Outcome(account, storm.struck, seconds, reclaims.seconds, broken, crowd.refusals)


async def _strike_all(storm: Storm, faults: int, pause: float, broken: list[str], progress: Progress) -> None:
    while storm.count < faults:
        name = await storm.strike()
        progress(storm.count, name)
        await asyncio.sleep(storm.rng.uniform(0, 2 * pause))
        broken += [f"after {name!r}: {found}" for found in await broken_promises(storm.fleet)]


async def broken_promises(fleet: Fleet) -> list[str]:
    """The invariants that do not hold at this moment; none while the database is away."""
    with suppress(HutongError):
        found = await fleet.host.kernel.db.read(fleet.host.verify)
        return [f"{violation.invariant}: {violation.row}" for violation in found]
    return []


async def settled_account(
    fleet: Fleet, crowd: Crowd, storm: Storm | None = None, *, clocks_lie: bool = False
) -> Account:
    """Let everything come to its end, then hold promises against facts."""
    if storm is not None:
        await storm.pass_over()
    await fleet.ready(SETTLE_SECONDS)
    await crowd.close()
    await _pipeline_empty(fleet)
    return await account_of(fleet, crowd, clocks_lie=clocks_lie)


async def _pipeline_empty(fleet: Fleet) -> None:
    """No job is left but those that a schedule has just queued; what does not come to its end is in the accounts."""

    async def empty() -> bool:
        with suppress(HutongError):
            return await fleet.host.kernel.db.read(_jobs_left) == 0
        return False

    with suppress(AssertionError):
        await until(empty, SETTLE_SECONDS)


def _jobs_left(conn: Connection) -> int:
    return len(conn.execute(jobs_left()).all())
