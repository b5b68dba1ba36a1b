"""The worker: listens for the bell, claims jobs in SQL, runs them, and mends what other workers left behind.

Five loops share one set of running jobs: `_listen` (doorbell), `_gather` (due and forgotten jobs), `_sweep` (orphaned jobs
and schedules), `_renew` (leases) and `_write` (outcomes, many in one transaction).
Source: DESIGN §2.4, §2.13; reference/reliability.md §2.2.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Select

from hutong.kernel.db import Connection, Database
from hutong.kernel.jobs import claims
from hutong.kernel.jobs.bell import Bell
from hutong.kernel.jobs.policies import Again, Job, Schedule, Task
from hutong.kernel.jobs.queue import Jobs
from hutong.kernel.observability import metrics
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.settings import JobsSettings
from hutong.kernel.store import StoreUnavailable
from hutong.kit.clock import Clock
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

BLOCK_MS = 1_000
BROKEN_BELL_SECONDS = 1.0
STALE_ENTRY_SECONDS = 30.0
BUSY_FACTOR = 4
"""How much sooner the next look at what is due follows one that found something."""
_log = logger("jobs.worker")


@dataclass(slots=True)
class Running:
    """One job in this process."""

    job: Job
    task: Task
    run: "asyncio.Task[None] | None" = None


@dataclass(frozen=True, slots=True)
class Taken:
    """How many jobs there was room for, and how many were taken."""

    room: int
    count: int


@dataclass(slots=True)
class Outcomes:
    """What is to be written in the next batch."""

    done: list[Job] = field(default_factory=list)
    again: list[tuple[Job, float]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.done or self.again)


class Worker:
    """Runs jobs until it is stopped.

    Args:
        db, bell, jobs, clock: the kernel's.
        tasks: every task this process can run, by name.
        schedules: what runs by itself.
        settings: leases, sweeps and concurrency.
    """

    def __init__(
        self,
        db: Database,
        bell: Bell,
        jobs: Jobs,
        clock: Clock,
        tasks: Sequence[Task],
        schedules: Sequence[Schedule],
        settings: JobsSettings,
    ) -> None:
        self.name = f"{socket.gethostname()[:24]}:{os.getpid()}:{os.urandom(3).hex()}"
        self._db, self._bell, self._jobs, self._clock = db, bell, jobs, clock
        self._tasks: Mapping[str, Task] = {task.name: task for task in tasks}
        self._schedules, self._settings = schedules, settings
        self._held: dict[int, Running] = {}
        self._outcomes = Outcomes()
        self._written = asyncio.Event()
        self._room = asyncio.Event()
        self._taking = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._idle_since = 0.0

    async def run(self) -> None:
        """Work until `stop` is called, then finish or give back what is running."""
        takers = [asyncio.create_task(self._forever(loop)) for loop in (self._listen, self._gather, self._sweep)]
        keepers = [asyncio.create_task(self._forever(loop)) for loop in (self._renew, self._write)]
        _log.info("worker started", worker=self.name, tasks=sorted(self._tasks))
        try:
            await self._stopping.wait()
            async with self._taking:  # a job that is being claimed is started, and drained with the others
                await end(*takers)
            await self._drain()
        finally:
            await end(*takers, *keepers)
        await self._write_rest()
        _log.info("worker stopped", worker=self.name)

    def stop(self) -> None:
        """Ask `run` to drain and return."""
        self._stopping.set()

    @property
    def running(self) -> int:
        """How many jobs run at present."""
        return len(self._held)

    async def _forever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run one loop's body again and again; a failure is logged and tried again, never fatal."""
        while True:
            try:
                await loop()
            except HutongError as error:
                _log.warning("a dependency is away", loop=getattr(loop, "__name__", ""), error=error.message)
                await asyncio.sleep(BROKEN_BELL_SECONDS)
            except Exception:
                _log.exception("worker loop failed; it goes on", loop=getattr(loop, "__name__", ""))
                await asyncio.sleep(BROKEN_BELL_SECONDS)

    # -- taking jobs ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        free = await self._wait_for_room()
        ids, entries = await self._bell.listen(self.name, free, BLOCK_MS)
        while ids:
            taken = await self._take(partial(self._rung, ids))
            ids = ids[taken.room :]
        await self._bell.acknowledge(entries)

    def _rung(self, ids: Sequence[int], room: int) -> Select[Any]:
        return claims.by_ids(ids[:room], self._tasks)

    async def _gather(self) -> None:
        """Take what is due but did not ring: at once while more is due than there is room for, sooner while anything is."""
        taken = await self._take(lambda room: claims.due(self._tasks, room))
        if taken.count < taken.room:
            await asyncio.sleep(self._settings.sweep_seconds / (BUSY_FACTOR if taken.count else 1))

    async def _take(self, query: Callable[[int], Select[Any]]) -> Taken:
        """Claim and start jobs, one claim at a time, so that no more run than there are slots.

        Args:
            query: the jobs wanted, at most as many as it is given room for.
        """
        await self._wait_for_room()
        async with self._taking:
            room = self._free
            wanted = query(room)
            taken = await self._db.write(claims.claim, wanted, self.name, self._settings.lease_seconds) if room else []
            self._start(taken)
        return Taken(room, len(taken))

    async def _sweep(self) -> None:
        await asyncio.sleep(self._settings.sweep_seconds)
        requeued, buried = await self._db.write(claims.recover, self._tasks, self._clock.now())
        if requeued or buried:
            _log.warning("took over jobs of a lost worker", requeued=requeued, buried=buried)
        for schedule in self._schedules:
            await self._fire(schedule)
        await self._look_around()

    async def _fire(self, schedule: Schedule) -> None:
        now = self._clock.now()

        def unit(conn: Connection) -> None:
            if claims.fire(conn, schedule, now):
                self._jobs.enqueue_once(conn, schedule.task, f"schedule:{schedule.task}", {})

        if await self._db.read(claims.is_due, schedule, now):
            await self._db.write(unit)

    async def _look_around(self) -> None:
        """Every half minute: gauges, and stream entries whose reader died."""
        if time.monotonic() - self._idle_since < STALE_ENTRY_SECONDS:
            return
        self._idle_since = time.monotonic()
        due, oldest, dead = await self._db.read(claims.backlog)
        metrics.jobs_waiting.set(due)
        metrics.jobs_oldest_seconds.set(oldest)
        metrics.jobs_dead.set(dead)
        try:
            await self._bell.forget_stale()
        except StoreUnavailable:
            _log.debug("no store; stale entries stay until it is back")

    @property
    def _free(self) -> int:
        return self._settings.concurrency - len(self._held)

    async def _wait_for_room(self) -> int:
        while not self._free:
            self._room.clear()
            await self._room.wait()
        return self._free

    # -- running them --------------------------------------------------------------------------------------------------

    def _start(self, taken: Sequence[Job]) -> None:
        for job in taken:
            running = Running(job, self._tasks[job.task])
            self._held[job.id] = running
            running.run = asyncio.create_task(self._handle(running))
        metrics.jobs_running.set(len(self._held))

    async def _handle(self, running: Running) -> None:
        job, task = running.job, running.task
        start = time.perf_counter()
        failpoint(f"jobs.{task.name}.claimed")
        try:
            async with asyncio.timeout(task.timeout):
                outcome = await task.handler(job)
        except asyncio.CancelledError:
            self._let_go(job)
            raise
        except Exception as error:
            await self._failed(running, error)
        else:
            failpoint(f"jobs.{task.name}.handled")
            self._succeeded(job, outcome)
        metrics.jobs_seconds.labels(task.name).observe(time.perf_counter() - start)

    def _succeeded(self, job: Job, outcome: Again | None) -> None:
        if isinstance(outcome, Again):
            self._outcomes.again.append((job, outcome.seconds))
        else:
            self._outcomes.done.append(job)
        metrics.jobs_finished.labels(job.task, "again" if outcome else "done").inc()
        self._written.set()

    async def _failed(self, running: Running, error: Exception) -> None:
        job, task = running.job, running.task
        reason = f"{type(error).__name__}: {error}"
        if task.retry.over(job.attempt, error):
            _log.error("job given up", task=job.task, job=job.id, attempts=job.attempt, error=reason, exc_info=error)
            metrics.jobs_finished.labels(job.task, "dead").inc()
            write = self._db.write(claims.bury, job, reason, task, self._clock.now())
        else:
            asked = min(getattr(error, "retry_after", None) or 0.0, task.retry.longest)
            wait = max(task.retry.wait(job.attempt), asked)
            _log.warning("job failed; it runs again", task=job.task, job=job.id, error=reason, seconds=round(wait, 2))
            metrics.jobs_finished.labels(job.task, "retry").inc()
            write = self._db.write(claims.retry, job, reason, wait)
        try:
            await write
        except HutongError as away:
            _log.warning("a failure was not written down; the lease will end", job=job.id, error=away.message)
        finally:
            self._let_go(job)

    def _let_go(self, job: Job) -> None:
        self._held.pop(job.id, None)
        metrics.jobs_running.set(len(self._held))
        self._room.set()

    # -- writing outcomes, keeping leases, stopping ----------------------------------------------------------------------

    async def _write(self) -> None:
        await self._written.wait()
        self._written.clear()
        batch, self._outcomes = self._outcomes, Outcomes()
        if not batch:
            return
        try:
            await self._db.write(claims.finish, batch.done, batch.again)
        except BaseException:
            self._outcomes.done.extend(batch.done)
            self._outcomes.again.extend(batch.again)
            self._written.set()
            raise
        for job in [*batch.done, *(job for job, _ in batch.again)]:
            self._let_go(job)

    async def _renew(self) -> None:
        await asyncio.sleep(self._settings.lease_seconds / 3)
        held = [running.job for running in self._held.values()]
        if not held:
            return
        kept = await self._db.write(claims.renew, held, self.name, self._settings.lease_seconds)
        for job in held:
            running = self._held.get(job.id)
            if (
                job.id not in kept
                and running is not None
                and running.job.token == job.token
                and running.run is not None
            ):
                _log.warning("lost a job to another worker", task=job.task, job=job.id)
                running.run.cancel()

    async def _drain(self) -> None:
        """Let running jobs finish; give back those that take too long."""
        runs = {running.run: running.job for running in self._held.values() if running.run is not None}
        if not runs:
            return
        _, unfinished = await asyncio.wait(runs, timeout=self._settings.drain_seconds)
        if unfinished:
            await end(*unfinished)
            await self._db.write(claims.release, [runs[run] for run in unfinished])

    async def _write_rest(self) -> None:
        """Write the outcomes that the loop did not come to."""
        while self._outcomes:
            self._written.set()
            await self._write()
