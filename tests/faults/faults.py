"""The faults: kills, freezes, cut cables, a misbehaving vendor. Each is one event, chosen by weight."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import psutil
from redis.exceptions import RedisError
from sqlalchemy import Connection, select

from faults.failpoints import FAILPOINTS
from faults.fleet import GENERATION_SECONDS, Fleet
from faults.reclaims import Reclaims
from hutong.kernel.jobs.bell import FIELD, STREAM
from hutong.kernel.jobs.tables import jobs
from hutong.kernel.store import StoreUnavailable
from hutong.kit.errors import HutongError
from hutong.providers.dashscope.sandbox.buttons import FAIL_CODES, KEY_CODES, LIES
from support.servers import Redis

FAILPOINT_SECONDS = 6.0
"""A failpoint that nobody came by for so long is taken back and does not count."""
LET_GO_SECONDS = GENERATION_SECONDS + 5
Strike = Callable[["Storm"], Awaitable[bool]]
"""Returns whether it struck: at times there is nothing to kill, for it is being started."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    weight: float
    strike: Strike
    applies: Callable[[Fleet], bool] = lambda _: True


@dataclass
class Storm:
    """Faults that strike a fleet, and what is still going on of them."""

    fleet: Fleet
    rng: random.Random
    reclaims: Reclaims
    struck: Counter[str] = field(default_factory=Counter)
    _going_on: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Faults that have happened."""
        return self.struck.total()

    async def strike(self) -> str:
        """Let one fault happen, and return its name."""
        possible = [fault for fault in FAULTS if fault.applies(self.fleet)]
        chosen = self.rng.choices(possible, [fault.weight for fault in possible])[0]
        if await chosen.strike(self) and chosen.name != "failpoint":  # those count when somebody comes by
            self.struck[chosen.name] += 1
        return chosen.name

    def meanwhile(self, work: Awaitable[None]) -> bool:
        """Let something go on beside the next faults. Always true: it struck."""
        task = asyncio.ensure_future(work)
        self._going_on.add(task)
        task.add_done_callback(self._over)
        return True

    def _over(self, task: "asyncio.Task[None]") -> None:
        """What failed meanwhile stays, and fails the run in `pass_over`."""
        if task.cancelled() or task.exception() is None:
            self._going_on.discard(task)

    async def let_go(self) -> None:
        """What hangs at the vendor goes on after a while, when it was given up here: the vendor's places are few."""
        while True:
            await asyncio.sleep(LET_GO_SECONDS / 4)
            await self._let_go(LET_GO_SECONDS)

    async def _let_go(self, seconds: float) -> None:
        for task in await self.fleet.vendor.tasks():
            if task.hang and task.status == "RUNNING" and self.fleet.now() - task.submit_ms / 1000 > seconds:
                await self.fleet.vendor.press("let-go", task_id=task.id)

    async def pass_over(self) -> None:
        """Wait until nothing is frozen, cut or down any more, and take back what the vendor was told."""
        await asyncio.gather(*self._going_on)
        await self.fleet.vendor.press("reset")
        await self._let_go(0)


# -- processes --------------------------------------------------------------------------------------------------------


def _victim(storm: Storm, kind: str) -> psutil.Process | None:
    found = storm.fleet.running(kind)
    return storm.rng.choice(found) if found else None


async def _kill(kind: str, storm: Storm) -> bool:
    begun = storm.fleet.now()
    victim = _victim(storm, kind)
    if victim is None:
        return False
    with suppress(psutil.NoSuchProcess):
        victim.kill()
    if kind == "worker":
        await storm.reclaims.watch(victim.pid)
        storm.fleet.disrupted("worker", begun)
    return True


async def _freeze(kind: str, storm: Storm) -> bool:
    """Longer than the lease: on waking up, the process believes that it still holds its jobs."""
    victim = _victim(storm, kind)
    if victim is None:
        return False
    seconds = storm.fleet.lease_seconds * storm.rng.uniform(1.5, 3.0)
    return storm.meanwhile(storm.fleet.pause([victim], kind, seconds))


async def _power_loss(storm: Storm) -> bool:
    begun = storm.fleet.now()
    storm.fleet.power_loss()
    storm.fleet.disrupted("worker", begun)
    return True


async def _failpoint(storm: Storm) -> bool:
    """Counts when a process comes by and dies."""
    name = storm.rng.choice(FAILPOINTS)
    if not storm.fleet.installation.is_armed(name):
        storm.fleet.installation.arm(name)
        storm.meanwhile(_until_reached(storm, name))
    return False


async def _until_reached(storm: Storm, name: str) -> None:
    installation = storm.fleet.installation
    for _ in range(int(FAILPOINT_SECONDS / 0.05)):
        await asyncio.sleep(0.05)
        if not installation.is_armed(name):
            storm.struck[f"killed at {name}"] += 1
            storm.fleet.disrupted("worker", storm.fleet.now() - 0.1)
            return
    (installation.orders / name).unlink(missing_ok=True)


# -- servers ------------------------------------------------------------------------------------------------------------


async def _noted(storm: Storm, kind: str, work: Awaitable[None]) -> None:
    begun = storm.fleet.now()
    await work
    storm.fleet.disrupted(kind, begun)


async def _crash_database(storm: Storm) -> bool:
    place, server = storm.fleet.database, storm.fleet.database.servers[0]
    return not place.is_crashing(server) and storm.meanwhile(_noted(storm, "database", place.crash(server)))


async def _freeze_database(storm: Storm) -> bool:
    place = storm.fleet.database
    return storm.meanwhile(_noted(storm, "database", place.pause(place.servers[0], storm.rng.uniform(0.5, 3.0))))


async def _cut_database(storm: Storm) -> bool:
    assert storm.fleet.database.wire is not None
    return storm.meanwhile(_noted(storm, "database", storm.fleet.database.wire.cut(storm.rng.uniform(0.1, 2.0))))


async def _mute_database(storm: Storm) -> bool:
    assert storm.fleet.database.wire is not None
    return storm.meanwhile(_noted(storm, "database", storm.fleet.database.wire.mute(storm.rng.uniform(0.5, 3.0))))


async def _crash_store(storm: Storm) -> bool:
    place = storm.fleet.store
    if not place.servers:
        return await _kill("store", storm)
    server = storm.rng.choice(list(place.servers))
    return not place.is_crashing(server) and storm.meanwhile(place.crash(server, storm.rng.uniform(0.0, 1.0)))


async def _freeze_store(storm: Storm) -> bool:
    place, seconds = storm.fleet.store, storm.rng.uniform(0.5, 4.0)
    if place.servers:
        return storm.meanwhile(place.pause(storm.rng.choice(list(place.servers)), seconds))
    victim = _victim(storm, "store")
    return victim is not None and storm.meanwhile(storm.fleet.pause([victim], "store", seconds))


async def _cut_store(storm: Storm) -> bool:
    assert storm.fleet.store.wire is not None
    return storm.meanwhile(storm.fleet.store.wire.cut(storm.rng.uniform(0.2, 3.0)))


async def _mute_store(storm: Storm) -> bool:
    assert storm.fleet.store.wire is not None
    return storm.meanwhile(storm.fleet.store.wire.mute(storm.rng.uniform(0.5, 4.0)))


async def _flush_store(storm: Storm) -> bool:
    """All that the store knew is gone."""
    servers = [server for server in storm.fleet.store.servers if isinstance(server, Redis)]
    try:
        for server in servers:
            await asyncio.to_thread(server.flush)
        if not servers:
            await storm.fleet.host.kernel.store.call("FLUSHALL")
    except (RedisError, StoreUnavailable):
        return False
    return True


async def _ring_again(storm: Storm) -> bool:
    """Every job that there is rings twice more, in another order."""
    try:
        ids = list(await storm.fleet.host.kernel.db.read(_job_ids)) * 2
        storm.rng.shuffle(ids)
        for job_id in ids[:100]:
            await storm.fleet.host.kernel.store.append(STREAM, {FIELD: str(job_id)})
    except HutongError:
        return False
    return bool(ids)


def _job_ids(conn: Connection) -> list[int]:
    return list(conn.execute(select(jobs.c.id)).scalars())


# -- the vendor -----------------------------------------------------------------------------------------------------------


def _press(button: str, **values: object) -> Strike:
    async def strike(storm: Storm) -> bool:
        return await storm.fleet.vendor.press(button, **values)

    return strike


async def _fail(storm: Storm) -> bool:
    return await storm.fleet.vendor.press("fail", code=storm.rng.choice(FAIL_CODES), times=1)


async def _lie(storm: Storm) -> bool:
    return await storm.fleet.vendor.press("lie", what=storm.rng.choice(LIES), times=1)


async def _throttling_storm(storm: Storm) -> bool:
    return await storm.fleet.vendor.press("throttle", seconds=storm.rng.uniform(0.5, 2.0), on="any")


async def _refuse_account(storm: Storm) -> bool:
    times = storm.rng.randint(1, 4)
    return await storm.fleet.vendor.press("refuse-key", code=storm.rng.choice(KEY_CODES), times=times)


async def _of_a_task(button: str, status: str, storm: Storm) -> bool:
    """A button that belongs to one task; the newest ones are the likeliest to be on their way."""
    found = [task for task in (await storm.fleet.vendor.tasks())[:12] if task.status == status]
    return bool(found) and await storm.fleet.vendor.press(button, task_id=storm.rng.choice(found).id)


def _has_database(fleet: Fleet) -> bool:
    return bool(fleet.database.servers)


def _has_store_wire(fleet: Fleet) -> bool:
    return fleet.store.wire is not None


FAULTS = (
    Fault("kill -9 of an API process", 9, partial(_kill, "api")),
    Fault("kill -9 of a worker", 14, partial(_kill, "worker")),
    Fault("kill -9 of everything", 1.5, _power_loss),
    Fault("failpoint", 22, _failpoint),
    Fault("worker frozen past its lease", 6, partial(_freeze, "worker")),
    Fault("API process frozen", 3, partial(_freeze, "api")),
    Fault("kill -9 of the database", 4, _crash_database, _has_database),
    Fault("database frozen", 2, _freeze_database, _has_database),
    Fault("database cut off", 3, _cut_database, _has_database),
    Fault("database silent", 2, _mute_database, _has_database),
    Fault("kill -9 of the store", 6, _crash_store),
    Fault("store frozen", 3, _freeze_store),
    Fault("store cut off", 3, _cut_store, _has_store_wire),
    Fault("store silent", 2, _mute_store, _has_store_wire),
    Fault("store emptied", 2, _flush_store),
    Fault("jobs rung twice, out of order", 3, _ring_again),
    Fault("vendor: generation fails", 4, _fail),
    Fault("vendor: generation is late", 3, _press("delay", seconds=3, times=1)),
    Fault("vendor: generation hangs", 1, _press("hang", times=1)),
    Fault("vendor: answer to a submission lost", 6, _press("lose-answer", times=1)),
    Fault("vendor: answer to a query lost", 4, _press("lose-query", times=2)),
    Fault("vendor: some calls throttled", 4, _press("throttle", times=4, on="any")),
    Fault("vendor: everything throttled for a while", 2, _throttling_storm),
    Fault("vendor: server errors", 4, _press("break", code="InternalError", times=3, on="any")),
    Fault("vendor: unavailable", 2, _press("break", code="ModelUnavailable", times=3, on="any")),
    Fault("vendor: account refused", 2, _refuse_account),
    Fault("vendor: picture refused", 2, _press("refuse-picture", times=1)),
    Fault("vendor: link dies", 3, partial(_of_a_task, "expire-link", "SUCCEEDED")),
    Fault("vendor: running generation hangs", 1, partial(_of_a_task, "hang-task", "RUNNING")),
    Fault("vendor: lie", 12, _lie),
)
BY_NAME: Mapping[str, Fault] = {fault.name: fault for fault in FAULTS}
