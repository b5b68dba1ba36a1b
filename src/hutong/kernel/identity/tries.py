"""Forgetting what was counted and sent, once it decides nothing any more, by a job that runs each night."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.identity.devices import KNOWN
from hutong.kernel.identity.tables import email_codes, known_devices, tallies
from hutong.kernel.jobs import Job, Retry, Schedule, Task
from hutong.kit.clock import Clock

FORGET = "kernel.identity.forget_tries"
NIGHTLY = Schedule(FORGET, cron="37 3 * * *")
KEPT = timedelta(days=1)
"""How long what is over is kept, so that a code of yesterday is still too old, and not unknown."""


def forget_tries(conn: Connection, now: datetime) -> None:
    """Remove counters and codes that are over for a day, and devices that were not seen for so long that they are unknown."""
    conn.execute(tallies.delete().where(tallies.c.ends_at < now - KEPT))
    conn.execute(email_codes.delete().where(email_codes.c.expires_at < now - KEPT))
    conn.execute(known_devices.delete().where(known_devices.c.seen_at <= now - KNOWN))


def forgetting(db: Database, clock: Clock) -> Task:
    """The job, for the host's worker."""

    async def forget(job: Job) -> None:
        """Forget counters, mail codes and known devices that decide nothing any more."""
        await db.write(forget_tries, clock.now())

    return Task(FORGET, forget, Retry(attempts=3))
