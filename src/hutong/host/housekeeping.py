"""The kernel's own work: expiring holds, checking invariants, forgetting old keys, tries and sessions, sending mails."""

from collections.abc import Callable
from datetime import timedelta

from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.credits import INVARIANTS as CREDITS
from hutong.kernel.credits import expire_holds
from hutong.kernel.credits.expiry import list_expired
from hutong.kernel.http.idempotency import forget_old
from hutong.kernel.identity import sessions
from hutong.kernel.identity.api_keys import forget_revoked
from hutong.kernel.identity.notices import LockNotices
from hutong.kernel.identity.tries import forget_tries
from hutong.kernel.jobs import Job, Retry, Schedule, Task
from hutong.kernel.observability.invariants import check
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import INVARIANTS as ORDERS
from hutong.kernel.quotas import INVARIANTS as QUOTAS
from hutong.kernel.quotas import forget_closed

EXPIRE, VERIFY, FORGET = "kernel.credits.expire_holds", "kernel.ledger.verify", "kernel.http.forget_keys"
FORGET_TRIES, FORGET_SESSIONS = "kernel.identity.forget_tries", "kernel.identity.forget_sessions"
KEYS_LIVE = timedelta(days=7)
FORGET_RESERVATIONS = "kernel.quotas.forget_reservations"
SESSIONS_LIVE = timedelta(days=30)
RESERVATIONS_LIVE = timedelta(days=7)
LASTING = Retry(attempts=20, first=1.0, longest=60.0)
"""A database that is away for some minutes, or workers that keep dying, are no reason for a dead letter."""
_log = logger("host.housekeeping")


def kernel_work(kernel: Kernel, everything: Callable[[], Work]) -> Work:
    """The kernel's tasks and schedules; `everything` is asked when they run, for it holds this work too."""
    chores = _Chores(kernel, everything)
    notices = LockNotices(kernel.db, kernel.jobs, kernel.mail, kernel.clock, kernel.settings.auth)
    return Work(
        tasks=(
            Task(EXPIRE, chores.expire, LASTING),
            Task(VERIFY, chores.verify, LASTING, timeout=600.0),
            Task(FORGET, chores.forget_keys, LASTING),
            Task(FORGET_TRIES, chores.forget_tries, LASTING),
            Task(FORGET_SESSIONS, chores.forget_sessions, LASTING, timeout=600.0),
            Task(FORGET_RESERVATIONS, chores.forget_reservations, LASTING, timeout=600.0),
            *kernel.mail.tasks(),
            *notices.tasks(),
        ),
        schedules=(
            Schedule(EXPIRE, every=30.0),
            Schedule(VERIFY, every=900.0),
            Schedule(FORGET, cron="17 3 * * *"),
            Schedule(FORGET_TRIES, cron="37 3 * * *"),
            Schedule(FORGET_SESSIONS, cron="27 3 * * *"),
            Schedule(FORGET_RESERVATIONS, cron="47 3 * * *"),
        ),
        invariants=(*CREDITS, *sessions.INVARIANTS, *ORDERS, *QUOTAS),
    )


class _Chores:
    """The handlers of the kernel's own tasks."""

    def __init__(self, kernel: Kernel, everything: Callable[[], Work]) -> None:
        self._kernel, self._everything = kernel, everything

    async def expire(self, job: Job) -> None:
        """Resolve holds whose time is over, each with the work that it was for."""
        kernel, now = self._kernel, self._kernel.clock.now()
        for late in await kernel.db.read(list_expired, now):
            try:
                await kernel.db.write(expire_holds, late, self._everything().hold_resolvers, now)
            except Exception:  # one hold that cannot be resolved must not keep the others open
                _log.exception("hold cannot be resolved", hold=late.id, work=late.ref_type, ref=late.ref_id)
            else:
                _log.warning("hold expired", hold=late.id, work=late.ref_type, ref=late.ref_id)

    async def verify(self, job: Job) -> None:
        """Check every promise about the data, and log the rows that break one."""
        for violation in await self._kernel.db.read(check, self._everything().invariants):
            _log.error("invariant broken", invariant=violation.invariant, promise=violation.promise, row=violation.row)

    async def forget_keys(self, job: Job) -> None:
        """Forget idempotency keys that are older than seven days."""
        await self._kernel.db.write(forget_old, self._kernel.clock.now() - KEYS_LIVE)

    async def forget_tries(self, job: Job) -> None:
        """Forget counters, mail codes and known devices that decide nothing any more."""
        await self._kernel.db.write(forget_tries, self._kernel.clock.now())

    async def forget_sessions(self, job: Job) -> None:
        """Forget sessions whose last token ran out, and API keys that ended, more than 30 days ago."""
        before = self._kernel.clock.now() - SESSIONS_LIVE
        while await self._kernel.db.write(sessions.forget_old, before):
            pass
        await self._kernel.db.write(forget_revoked, before)

    async def forget_reservations(self, job: Job) -> None:
        """Forget reservations of quotas that were settled or released more than seven days ago."""
        while await self._kernel.db.write(forget_closed, RESERVATIONS_LIVE.total_seconds()):
            pass
