"""The enqueuing side: a job is an outbox row written in the business transaction. Source: DESIGN §2.4."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.engine import Connection

from hutong.kernel.db import after_commit, insert_if_absent, now_plus, upsert, utc_now
from hutong.kernel.jobs.bell import Bell
from hutong.kernel.jobs.tables import JobState, dead_jobs, jobs
from hutong.kernel.observability.failpoints import failpoint
from hutong.kit.clock import Clock
from hutong.kit.paging import Page, PageRequest


class Jobs:
    """Enqueues jobs and looks after the dead letters."""

    def __init__(self, ids: Callable[[], int], clock: Clock, bell: Bell) -> None:
        self._ids = ids
        self._clock = clock
        self._bell = bell

    def enqueue(self, conn: Connection, task: str, args: Mapping[str, Any], *, run_at: datetime | None = None) -> int:
        """Add a job in this transaction; it exists if and only if the transaction commits.

        Args:
            conn: the business transaction.
            task: name of a registered task.
            args: JSON-ready; ids, not values that may change meanwhile.
            run_at: not before this moment of this process's clock, which is kept by the database's; at once when left out.

        Returns:
            The job's id.
        """
        row = self._row(task, args, run_at)
        conn.execute(jobs.insert().values(**row))
        self._ring_after(conn, row["id"], run_at)
        return int(row["id"])

    def enqueue_once(
        self, conn: Connection, task: str, key: str, args: Mapping[str, Any], *, run_at: datetime | None = None
    ) -> None:
        """Add a job unless one with `key` waits already; one that runs at present will run once more afterwards.

        One that waits for a later moment than `run_at` waits for this one from now on.
        """
        row = self._row(task, args, run_at) | {"dedup_key": key}
        sooner = case((jobs.c.run_at > row["run_at"], row["run_at"]), else_=jobs.c.run_at)
        upsert(conn, jobs, ["dedup_key"], row, {"requested": jobs.c.requested + 1, "run_at": sooner})
        self._ring_after(conn, row["id"], run_at)

    def _row(self, task: str, args: Mapping[str, Any], run_at: datetime | None) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "id": self._ids(),
            "task": task,
            "args": dict(args),
            "state": JobState.QUEUED,
            "run_at": utc_now() if run_at is None else now_plus(round((run_at - now).total_seconds(), 3)),
            "attempt": 0,
            "token": 0,
            "requested": 0,
            "created_at": now,
        }

    def _ring_after(self, conn: Connection, job_id: int, run_at: datetime | None) -> None:
        if run_at is None:
            after_commit(conn, lambda: self._rung(job_id))

    def _rung(self, job_id: int) -> None:
        failpoint("jobs.enqueue.committed")
        self._bell.ring(job_id)

    def list_dead(self, conn: Connection, request: PageRequest) -> Page[Mapping[str, Any]]:
        """Dead letters, newest first."""
        total = conn.execute(select(func.count()).select_from(dead_jobs)).scalar_one()
        newest = select(dead_jobs).order_by(dead_jobs.c.died_at.desc(), dead_jobs.c.id.desc())
        rows = conn.execute(newest.limit(request.page_size).offset(request.offset)).mappings().all()
        return Page([dict(row) for row in rows], total, request.page, request.page_size)

    def revive(self, conn: Connection, dead_id: int) -> bool:
        """Queue a dead letter again under its old id. Returns whether it was there."""
        row = conn.execute(select(dead_jobs).where(dead_jobs.c.id == dead_id)).mappings().first()
        if row is None or conn.execute(dead_jobs.delete().where(dead_jobs.c.id == dead_id)).rowcount != 1:
            return False
        insert_if_absent(conn, jobs, self._row(row["task"], row["args"], None) | {"id": dead_id})
        self._ring_after(conn, dead_id, None)
        return True
