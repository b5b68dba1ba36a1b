"""The worker's transactions: claiming, renewing, finishing, giving up. Leases and what is due go by the database's clock.

Every write after a claim carries the fencing token; zero rows changed means that the job was lost to somebody else.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select, tuple_, update

from hutong.kernel.db import claim_rows, insert_if_absent, now_plus, utc_now
from hutong.kernel.jobs.policies import Job, Schedule, Task
from hutong.kernel.jobs.tables import JobState, dead_jobs, jobs, schedules
from hutong.kit.text import shorten

LOST = "its worker died or was cut off"
_waiting = select(jobs).where(jobs.c.state == JobState.QUEUED)


def claim(conn: Connection, query: Select[Any], worker: str, lease: float) -> list[Job]:
    """Take the rows of `query` for this worker."""
    rows = claim_rows(conn, query)
    if not rows:
        return []
    taken = {
        "state": JobState.RUNNING,
        "worker": worker,
        "attempt": jobs.c.attempt + 1,
        "token": jobs.c.token + 1,
        "requested": 0,
        "lease_until": now_plus(lease),
    }
    conn.execute(update(jobs).where(jobs.c.id.in_([row.id for row in rows])).values(**taken))
    return [_job(row, row.attempt + 1, row.token + 1) for row in rows]


def by_ids(ids: Sequence[int], tasks: Iterable[str]) -> Select[Any]:
    """The jobs of `tasks` that rang, if they are still waiting and due."""
    return _waiting.where(jobs.c.id.in_(ids), jobs.c.task.in_(list(tasks)), jobs.c.run_at <= utc_now())


def due(tasks: Iterable[str], limit: int) -> Select[Any]:
    """The jobs of `tasks` that have been due for longest; others are left to a worker that knows them."""
    known = _waiting.where(jobs.c.task.in_(list(tasks)), jobs.c.run_at <= utc_now())
    return known.order_by(jobs.c.run_at).limit(limit)


def renew(conn: Connection, held: Iterable[Job], worker: str, lease: float) -> set[int]:
    """Prolong the leases of `held`; returns the ids that are still this worker's."""
    mine = and_(jobs.c.worker == worker, _same(held))
    conn.execute(update(jobs).where(mine).values(lease_until=now_plus(lease)))
    return set(conn.execute(select(jobs.c.id).where(mine)).scalars())


def finish(conn: Connection, done: Sequence[Job], again: Sequence[tuple[Job, float]]) -> None:
    """Delete finished jobs; queue those again that asked for it (in so many seconds), or were asked for while they ran."""
    if done and conn.execute(jobs.delete().where(_same(done), jobs.c.requested == 0)).rowcount != len(done):
        conn.execute(update(jobs).where(_same(done)).values(**_requeued(utc_now()), attempt=0))
    for job, seconds in again:
        conn.execute(update(jobs).where(_same([job])).values(**_requeued(now_plus(round(seconds, 3))), attempt=0))


def release(conn: Connection, held: Sequence[Job]) -> None:
    """Give back jobs that were not finished (a worker that stops), without counting the attempt."""
    conn.execute(update(jobs).where(_same(held)).values(**_requeued(utc_now()), attempt=jobs.c.attempt - 1))


def retry(conn: Connection, job: Job, error: str, seconds: float) -> bool:
    """Queue a failed job again, in so many seconds. Returns whether it was still ours."""
    values = _requeued(now_plus(round(seconds, 3))) | {"last_error": shorten(error, 2000)}
    return conn.execute(update(jobs).where(_same([job])).values(**values)).rowcount == 1


def bury(conn: Connection, job: Job, error: str, task: Task | None, now: datetime) -> bool:
    """Move a job to the dead letters and resolve what it stood for. Returns whether it was still ours."""
    if conn.execute(jobs.delete().where(_same([job]))).rowcount != 1:
        return False
    letter = {
        "id": job.id,
        "task": job.task,
        "args": dict(job.args),
        "attempts": job.attempt,
        "created_at": job.created_at,
    }
    insert_if_absent(conn, dead_jobs, letter | {"error": shorten(error, 2000), "died_at": now})
    if task is not None and task.on_dead is not None:
        task.on_dead(conn, job, error)
    return True


def recover(conn: Connection, tasks: Mapping[str, Task], now: datetime, limit: int = 100) -> tuple[int, int]:
    """Queue again, or bury, the jobs whose worker let the lease run out. Returns (requeued, buried)."""
    expired = select(jobs).where(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < utc_now()).limit(limit)
    requeued = buried = 0
    for row in claim_rows(conn, expired):
        job, task = _job(row, row.attempt, row.token), tasks.get(row.task)
        if task is not None and job.attempt >= task.retry.attempts:
            buried += bury(conn, job, LOST, task, now)
        else:
            conn.execute(update(jobs).where(_same([job])).values(**_requeued(utc_now()), last_error=LOST))
            requeued += 1
    return requeued, buried


def is_due(conn: Connection, schedule: Schedule, now: datetime) -> bool:
    """Whether `fire` has anything to do; a plain read, asked every sweep."""
    row = conn.execute(select(schedules.c.next_at).where(schedules.c.task == schedule.task)).first()
    return row is None or not now < row.next_at <= schedule.next_after(now)


def fire(conn: Connection, schedule: Schedule, now: datetime) -> bool:
    """Move a schedule on if it is due; True for the one process in the fleet that won."""
    row = conn.execute(select(schedules.c.next_at).where(schedules.c.task == schedule.task)).first()
    if row is None:
        insert_if_absent(conn, schedules, {"task": schedule.task, "next_at": schedule.next_after(now)})
        return False
    upcoming = schedule.next_after(now)
    if now < row.next_at <= upcoming:
        return False
    won = and_(schedules.c.task == schedule.task, schedules.c.next_at == row.next_at)
    moved = conn.execute(update(schedules).where(won).values(next_at=upcoming))
    return moved.rowcount == 1 and row.next_at <= now


def backlog(conn: Connection) -> tuple[int, float, int]:
    """(jobs that are due, age of the oldest in seconds, dead letters)."""
    late = select(func.count(), func.min(jobs.c.run_at), utc_now())
    count, oldest, now = conn.execute(late.where(jobs.c.state == JobState.QUEUED, jobs.c.run_at <= utc_now())).one()
    dead = conn.execute(select(func.count()).select_from(dead_jobs)).scalar_one()
    return count, (now - oldest).total_seconds() if oldest else 0.0, dead


def _same(held: Iterable[Job]) -> ColumnElement[bool]:
    pairs = [(job.id, job.token) for job in held]
    if len(pairs) == 1:
        return and_(jobs.c.id == pairs[0][0], jobs.c.token == pairs[0][1], jobs.c.state == JobState.RUNNING)
    return and_(tuple_(jobs.c.id, jobs.c.token).in_(pairs), jobs.c.state == JobState.RUNNING)


def _requeued(run_at: datetime | ColumnElement[datetime]) -> dict[str, Any]:
    return {"state": JobState.QUEUED, "run_at": run_at, "worker": None, "lease_until": None}


def _job(row: Row[Any], attempt: int, token: int) -> Job:
    return Job(row.id, row.task, row.args, attempt, token, row.created_at)
