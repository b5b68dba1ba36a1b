"""Telling the owner of an address that it was locked, by a job, so that a lock takes the same work for every address.

Source: OWASP ASVS 5.0 §6.3.5; ADR 0018.
"""

from datetime import timedelta

from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.http.languages import DEFAULT
from hutong.kernel.identity import account_rows, tallies
from hutong.kernel.identity.errors import UserUnknown
from hutong.kernel.jobs import Job, Jobs, Retry, Task
from hutong.kernel.mail import Mail
from hutong.kernel.mail.catalogue import LOCKED
from hutong.kernel.settings import AuthSettings
from hutong.kit.clock import Clock

TELL = "kernel.identity.tell_locked"
DAY = timedelta(days=1)
MOST_A_DAY = 3
NOBODY = 0


class LockNotices:
    """Mails about locks, of all realms.

    Args:
        db, jobs, mail, clock: the kernel's.
        settings: say how long a lock lasts.
    """

    def __init__(self, db: Database, jobs: Jobs, mail: Mail, clock: Clock, settings: AuthSettings) -> None:
        self._db, self._jobs, self._mail, self._clock = db, jobs, mail, clock
        self._minutes = str(max(1, round(settings.lock_minutes)))

    def enqueue(self, conn: Connection, realm: str, user_id: int | None) -> None:
        """Write the job; for an address without an account there is one too, and it does nothing."""
        self._jobs.enqueue(conn, TELL, {"realm": realm, "user_id": user_id or NOBODY})

    def tasks(self) -> tuple[Task, ...]:
        """The job, for the host's worker."""
        return (Task(TELL, self._tell, Retry(attempts=20)),)

    async def _tell(self, job: Job) -> None:
        """Mail the owner of an address that it is locked, three times a day at most. Run twice, it may mail twice."""
        await self._db.write(self._write, str(job.args["realm"]), int(job.args["user_id"]))

    def _write(self, conn: Connection, realm: str, user_id: int) -> None:
        try:
            account = account_rows.get_account(conn, realm, user_id)
        except UserUnknown:
            return
        if tallies.take(conn, realm, f"notices.locked:{user_id}", MOST_A_DAY, DAY, self._clock.now()):
            self._mail.enqueue(conn, LOCKED, account.email, account.language or DEFAULT, {"minutes": self._minutes})
