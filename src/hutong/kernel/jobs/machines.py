"""Leases of machine numbers, so that no two live processes make ids with the same one.

A process that cannot renew its lease stops making ids before anybody else may take the number (fail closed). One whose
clock was set back takes another number: under the old one it would have to wait until its clock has caught up.
Source: contracts/emoji.md "Conventions"; reference/emoji.md §5.
"""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, select, update

from hutong.kernel.db import Database, insert_if_absent, now_plus, utc_now
from hutong.kernel.jobs.tables import machine_leases
from hutong.kernel.observability.logs import logger
from hutong.kit.clock import Clock, epoch_ms
from hutong.kit.errors import Unavailable
from hutong.kit.ids import MACHINES, MAX_DRIFT_MS, ClockMovedBack, Snowflake
from hutong.kit.tasks import end

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
MARGIN_SECONDS = 5.0
TRIES = 20
_log = logger("jobs.machines")


class IdsUnavailable(Unavailable):
    """This process holds no machine number at present; try again shortly."""

    code = "ids.unavailable"


class LeasedIds:
    """Makes Snowflake ids while its lease holds; call it like a function."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._holder = f"{socket.gethostname()[:24]}:{os.getpid()}:{os.urandom(4).hex()}"
        self._make: Snowflake | None = None
        self._machine = -1
        self._deadline = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moved_back = asyncio.Event()

    def __call__(self) -> int:
        """One new id.

        Raises:
            IdsUnavailable: the lease ran out and could not be renewed, or the clock was set back a moment ago.
        """
        if self._make is None or self._clock.monotonic() > self._deadline:
            raise IdsUnavailable(retry_after=1)
        try:
            return self._make()
        except ClockMovedBack as error:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._moved_back.set)  # units of work run in threads
            raise IdsUnavailable(retry_after=1) from error

    @property
    def machine(self) -> int:
        """The machine number held."""
        return self._machine

    async def start(self) -> None:
        """Take a free machine number and keep it until `stop`."""
        self._loop = asyncio.get_running_loop()
        await self._take()
        self._renewing = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Give the number back."""
        await end(self._renewing)
        if self._make is not None:
            await self._db.write(_give_back, self._machine, self._holder, self._make.last_ms)
            self._make = None

    async def _take(self) -> None:
        asked = self._clock.monotonic()
        for _ in range(TRIES):
            candidate = random.randrange(MACHINES)
            last_ms = await self._db.write(_take, candidate, self._holder)
            if last_ms is not None and last_ms - epoch_ms(self._clock.now()) > MAX_DRIFT_MS:
                await self._db.write(_give_back, candidate, self._holder, last_ms)  # of use once our clock is right
            elif last_ms is not None:
                self._machine = candidate
                self._make = Snowflake(candidate, _milliseconds(self._clock), last_ms)
                self._deadline = asked + LEASE_SECONDS - MARGIN_SECONDS
                return
        raise IdsUnavailable("no free machine number was found; are more than a thousand processes running?")

    async def _keep(self) -> None:
        while True:
            await self._until_due()
            asked = self._clock.monotonic()
            try:
                assert self._make is not None
                if self._moved_back.is_set():
                    await self._take_another()
                elif await self._db.write(_renew, self._machine, self._holder, self._make.last_ms):
                    self._deadline = asked + LEASE_SECONDS - MARGIN_SECONDS
                else:
                    await self._take()
            except Exception as error:
                _log.warning("the machine number was not renewed", error=repr(error))

    async def _until_due(self) -> None:
        """Until the lease has to be renewed, or the number does not serve any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RENEW_SECONDS):
                await self._moved_back.wait()

    async def _take_another(self) -> None:
        """Leave the number to somebody later, together with the newest millisecond that it was used in."""
        assert self._make is not None
        _log.warning("the clock was set back; another machine number is taken", machine=self._machine)
        old, last_ms = self._machine, self._make.last_ms
        self._moved_back.clear()  # whoever still meets the old number sets it again
        await self._take()
        await self._db.write(_give_back, old, self._holder, last_ms)


def _milliseconds(clock: Clock) -> Callable[[], int]:
    return lambda: epoch_ms(clock.now())


def _take(conn: Connection, machine: int, holder: str) -> int | None:
    """Take `machine` if it is free; returns the newest millisecond that its last holder may have used."""
    lease = {"holder": holder, "expires_at": now_plus(LEASE_SECONDS)}
    row = conn.execute(select(machine_leases).where(machine_leases.c.machine == machine)).first()
    if row is None:
        return 0 if insert_if_absent(conn, machine_leases, {"machine": machine, "last_ms": 0} | lease) else None
    free = (machine_leases.c.machine == machine, machine_leases.c.expires_at < utc_now())
    if (
        conn.execute(
            update(machine_leases).where(*free, machine_leases.c.holder == row.holder).values(**lease)
        ).rowcount
        != 1
    ):
        return None
    return max(int(row.last_ms), epoch_ms(row.expires_at - timedelta(seconds=MARGIN_SECONDS)))


def _renew(conn: Connection, machine: int, holder: str, last_ms: int) -> bool:
    mine = (machine_leases.c.machine == machine, machine_leases.c.holder == holder)
    values = {"expires_at": now_plus(LEASE_SECONDS), "last_ms": last_ms}
    return conn.execute(update(machine_leases).where(*mine).values(**values)).rowcount == 1


def _give_back(conn: Connection, machine: int, holder: str, last_ms: int) -> None:
    mine = (machine_leases.c.machine == machine, machine_leases.c.holder == holder)
    conn.execute(update(machine_leases).where(*mine).values(expires_at=now_plus(-1.0), last_ms=last_ms))
