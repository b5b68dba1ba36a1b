"""What a task states about itself: how it retries, how long it may take, when it runs by itself."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cronsim import CronSim
from sqlalchemy import Connection

LONGEST_WAIT = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a failure, later each time, then give up into the dead letters.

    Args:
        attempts: runs in all, the first included.
        first: seconds before the second run.
        longest: no wait is longer, in seconds.
        hopeless: errors after which no other run can do better; the job is given up at once.
    """

    attempts: int = 5
    first: float = 1.0
    longest: float = 300.0
    hopeless: tuple[type[Exception], ...] = ()

    def over(self, attempt: int, error: Exception) -> bool:
        """Whether the job is given up, now that run number `attempt` (from 1) failed with `error`."""
        return attempt >= self.attempts or isinstance(error, self.hopeless)

    def wait(self, attempt: int) -> float:
        """Seconds before the run after run number `attempt` (from 1), with full jitter over its upper half."""
        ceiling = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return ceiling * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one job, as its handler sees it.

    `token` is the fencing token: it grows with each claim, so that a worker which was paused cannot finish a job that
    another one has taken over.
    """

    id: int
    task: str
    args: Mapping[str, Any]
    attempt: int
    token: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Again:
    """What a handler returns to be called again after `seconds`, without holding a slot meanwhile.

    Raises:
        ValueError: that is no time to wait; the run counts as failed, before anything depends on the number.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= LONGEST_WAIT:
            raise ValueError(f"a job cannot be run again after {self.seconds} seconds")


Handler = Callable[[Job], Awaitable[Again | None]]
OnDead = Callable[[Connection, Job, str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of job.

    Args:
        name: `app.feature.verb`, stored with every job: never rename one that may be queued.
        handler: idempotent; returns None when done or `Again`.
        retry: what happens after an exception.
        timeout: seconds after which one run is cancelled and counts as failed.
        on_dead: resolves the business matter (refund, mark failed) in the transaction that gives the job up.
    """

    name: str
    handler: Handler
    retry: Retry = Retry()
    timeout: float = 60.0
    on_dead: OnDead | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Runs a task once per fleet, at each moment that a cron expression (UTC, 5 fields) or an interval names."""

    task: str
    cron: str | None = None
    every: float | None = None

    def next_after(self, moment: datetime) -> datetime:
        """The first moment after `moment` at which the task is due."""
        if self.cron is not None:
            return next(CronSim(self.cron, moment))
        return moment + timedelta(seconds=self.every or 60.0)
