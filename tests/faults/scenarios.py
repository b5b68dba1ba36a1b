"""Faults with a story of their own: too long, or too odd, to be left to chance. Each has a fleet to itself."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from faults import disks
from faults.accounting import Account
from faults.clocks import wrong_workers
from faults.fleet import Fleet, fleet_on
from faults.load import Crowd
from faults.places import paused
from faults.reclaims import GOAL_SECONDS, Reclaims, percentile
from faults.run import settled_account
from hutong.providers.dashscope.sandbox.buttons import FAIL_CODES, KEY_CODES, LIES, PICTURE_CODES
from support.http import http_client

CUSTOMERS = 4
CALM_LEASE = 10.0
"""Seconds of a lease where no worker dies: a machine that is too busy must not look like a worker that is gone."""
STEPS = (1, -1, 60, -60, 3600, -3600, 86_400, -86_400, 0)
"""Seconds by which the clocks of some workers are wrong, one after the other."""


@dataclass(frozen=True)
class Finding:
    """What one scenario saw."""

    name: str
    kept: bool
    text: str


@dataclass(frozen=True)
class Ground:
    """Where a scenario takes place. `seconds` is how long the trouble lasts."""

    folder: Path
    database: str
    store: str
    seconds: float
    seed: int = 0


Scenario = Callable[[Ground], Awaitable[Finding]]


@asynccontextmanager
async def crowd_at(fleet: Fleet, ground: Ground) -> AsyncIterator[Crowd]:
    """Customers who come and go until the accounts are made."""
    async with http_client(30) as client:
        crowd = Crowd(client, fleet.base, random.Random(ground.seed))
        crowd.open(CUSTOMERS)
        try:
            yield crowd
        finally:
            await crowd.leave()


def finding(name: str, account: Account, text: str, *, kept: bool = True) -> Finding:
    """The end of a scenario: its own words, and what the accounts say."""
    wrong = [*account.lost, *account.doubled, *account.broken]
    said = f"{text}; {account.promised} creations, {len(account.lost)} lost, {len(account.doubled)} doubled"
    return Finding(name, kept and account.clean and account.promised > 0, "; ".join([said, *wrong[:5]]))


# -- the store --------------------------------------------------------------------------------------------------------


async def store_down(ground: Ground) -> Finding:
    """Without a store creations succeed and tasks are worked off."""
    return await _without_store("store down", ground, _down)


async def store_hung(ground: Ground) -> Finding:
    """A store that takes connections and never answers is as harmless as one that is down."""
    return await _without_store("store hung", ground, _hung)


async def _down(fleet: Fleet, seconds: float) -> None:
    store = fleet.store
    fleet.store_off.touch()
    for server in store.servers:
        await store.kill(server)
    for process in fleet.running("store"):
        process.kill()
    await asyncio.sleep(seconds)
    fleet.store_off.unlink()
    for server in store.servers:
        await asyncio.to_thread(server.start)


async def _hung(fleet: Fleet, seconds: float) -> None:
    if fleet.store.servers:
        await asyncio.gather(*(fleet.store.pause(server, seconds) for server in fleet.store.servers))
    else:
        await paused(fleet.running("store"), seconds)


async def _without_store(name: str, ground: Ground, trouble: Callable[[Fleet, float], Awaitable[None]]) -> Finding:
    async with (
        fleet_on(ground.folder, ground.database, ground.store, lease_seconds=CALM_LEASE) as fleet,
        crowd_at(fleet, ground) as crowd,
    ):
        await asyncio.sleep(min(ground.seconds, 20.0))
        begun = time.monotonic()
        done_before = len(crowd.followed)
        await trouble(fleet, ground.seconds)
        ended = time.monotonic()
        done = len(crowd.followed) - done_before
        account = await settled_account(fleet, crowd)
    before = [took for at, took in crowd.create_seconds if at < begun]
    during = [took for at, took in crowd.create_seconds if begun <= at < ended]
    text = (
        f"{ended - begun:.0f} s without; meanwhile {len(during)} creations and {done} tasks done; "
        f"a creation took p50 {percentile(during, 0.5):.2f} s, p99 {percentile(during, 0.99):.2f} s "
        f"(before: {percentile(before, 0.5):.2f} s, {percentile(before, 0.99):.2f} s)"
    )
    return finding(name, account, text, kept=bool(during) and done > 0)


# -- the disk, the clocks -----------------------------------------------------------------------------------------------


async def disk_full(ground: Ground) -> Finding:
    """Answers stay clean, nothing is half written, and it goes on by itself when there is room again."""
    with disks.small_disk(ground.folder / "disk") as disk:
        async with (
            fleet_on(
                ground.folder,
                ground.database,
                ground.store,
                lease_seconds=CALM_LEASE,
                data=disk.folder / "data",
            ) as fleet,
            crowd_at(fleet, ground) as crowd,
        ):
            await asyncio.sleep(3.0)
            refused_before = crowd.answers[503001]
            with disk.full(fleet):
                crowd.open(CUSTOMERS)  # newcomers have to write; the others may happen to read only
                await asyncio.sleep(ground.seconds)
            refused = crowd.answers[503001] - refused_before
            account = await settled_account(fleet, crowd)
            halves = list((fleet.installation.data / "files" / "incoming").iterdir())
    text = f"{ground.seconds:g} s on a full disk ({disk.kind}); {refused} answers 503001, {len(halves)} files left half"
    return finding("disk full", account, text, kept=refused > 0 and not halves)


async def clock_steps(ground: Ground) -> Finding:
    """Workers whose clocks are wrong by up to a day, and jump: who is charged, refunded or served twice is nobody."""
    async with (
        fleet_on(ground.folder, ground.database, ground.store, lease_seconds=CALM_LEASE) as fleet,
        crowd_at(fleet, ground) as crowd,
        wrong_workers(fleet) as clocks,
    ):
        for step in STEPS:
            for clock, sign in zip(clocks, (1, -1), strict=True):
                clock.wrong_by = timedelta(seconds=step * sign)
            await asyncio.sleep(ground.seconds / len(STEPS))
        account = await settled_account(fleet, crowd, clocks_lie=True)
        claimed = sum(clock.worked for clock in clocks)
    return finding("clock steps", account, f"two workers, wrong by up to a day, ran {claimed} jobs", kept=claimed > 0)


# -- the vendor, dead workers -------------------------------------------------------------------------------------------


def _mishaps() -> list[tuple[str, Mapping[str, object]]]:
    """Every mishap that the vendor's page offers for the next calls."""
    found: list[tuple[str, Mapping[str, object]]] = [("lie", {"what": what}) for what in LIES]
    found += [("fail", {"code": code}) for code in FAIL_CODES]
    found += [("refuse-key", {"code": code, "times": 2}) for code in KEY_CODES]
    found += [("refuse-picture", {"code": code}) for code in PICTURE_CODES]
    found += [("hang", {}), ("delay", {"seconds": 2}), ("lose-answer", {}), ("lose-answer", {"times": 2})]
    found += [("lose-query", {"times": 3}), ("throttle", {"seconds": 2}), ("throttle", {"times": 20, "on": "query"})]
    found += [
        ("break", {"code": "InternalError", "times": 10}),
        ("break", {"code": "ModelUnavailable", "on": "create"}),
    ]
    return found


async def vendor_misbehaves(ground: Ground) -> Finding:
    """Every mishap once: lies, hangs, lost and late answers, throttling, a refused account."""
    mishaps = _mishaps()
    async with (
        fleet_on(ground.folder, ground.database, ground.store, lease_seconds=CALM_LEASE) as fleet,
        crowd_at(fleet, ground) as crowd,
    ):
        for button, values in mishaps:
            await fleet.vendor.press(button, **values)
            await asyncio.sleep(ground.seconds / len(mishaps))
        await fleet.vendor.press("reset")
        account = await settled_account(fleet, crowd)
    text = f"{len(mishaps)} mishaps; {account.failed} tasks failed with their points back"
    return finding("vendor misbehaves", account, text, kept=account.completed > 0 and account.failed > 0)


async def dead_workers(ground: Ground) -> Finding:
    """With the lease and sweep of production, a dead worker's jobs are taken over within 15 s (p99)."""
    usual = {"HUTONG_JOBS__SWEEP_SECONDS": "1", "HUTONG_EMOJI__GENERATION_SECONDS": "120"}
    async with (
        fleet_on(ground.folder, ground.database, ground.store, lease_seconds=10.0, settings=usual) as fleet,
        crowd_at(fleet, ground) as crowd,
    ):
        fleet.vendor.latency = 2.0
        reclaims = Reclaims(fleet.host.kernel.db)
        looking = asyncio.create_task(reclaims.run())
        end = time.monotonic() + ground.seconds
        kills = 0
        while time.monotonic() < end or not (reclaims.seconds or reclaims.still_open):
            await asyncio.sleep(2.0)
            begun = fleet.now()
            for victim in fleet.running("worker")[:1]:
                victim.kill()
                kills += 1
                if await reclaims.watch(victim.pid):
                    await _until_taken_over(reclaims)
                fleet.disrupted("worker", begun)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        fleet.vendor.latency = 0.1
        account = await settled_account(fleet, crowd)
    late = percentile(reclaims.seconds, 0.99)
    text = (
        f"{kills} kills, {len(reclaims.seconds)} jobs taken over after p50 {percentile(reclaims.seconds, 0.5):.1f} s, "
        f"p99 {late:.1f} s, at most {max(reclaims.seconds):.1f} s"
    )
    return finding("dead workers, lease 10 s", account, text, kept=late <= GOAL_SECONDS)


async def _until_taken_over(reclaims: Reclaims) -> None:
    end = time.monotonic() + 4 * GOAL_SECONDS
    while reclaims.still_open and time.monotonic() < end:  # noqa: ASYNC110 - `reclaims.run` looks, this only waits
        await asyncio.sleep(0.1)


SCENARIOS: Mapping[str, tuple[Scenario, float]] = {
    "store-down": (store_down, 300.0),
    "store-hung": (store_hung, 30.0),
    "disk-full": (disk_full, 20.0),
    "clock-steps": (clock_steps, 45.0),
    "vendor": (vendor_misbehaves, 70.0),
    "dead-workers": (dead_workers, 120.0),
}
"""By name, with the seconds of trouble in the long form."""
