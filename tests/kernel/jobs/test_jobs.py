"""Durable jobs: run once, retried, given up, taken over, scheduled once per fleet; on every database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

import pytest

from hutong.kernel.db import Connection, Database
from hutong.kernel.jobs import Again, Bell, Job, Jobs, Retry, Schedule, Task, Worker, claims
from hutong.kernel.settings import JobsSettings
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock, SystemClock
from hutong.kit.paging import PageRequest
from support.stand import until

SETTINGS = JobsSettings(sweep_seconds=0.05, lease_seconds=30, drain_seconds=5)
CLOCK = SystemClock()
ids = count(1).__next__
Handler = Callable[[Job], Awaitable[Again | None]]


class Shop:
    """What a test needs: a queue, and workers on it."""

    def __init__(self, db: Database, store: Store) -> None:
        self.db = db
        self.bell = Bell(store)
        self.jobs = Jobs(ids, CLOCK, self.bell)

    def worker(self, *tasks: Task, schedules: Sequence[Schedule] = ()) -> Worker:
        return Worker(self.db, self.bell, self.jobs, CLOCK, tasks, schedules, SETTINGS)

    @asynccontextmanager
    async def working(self, *tasks: Task, schedules: Sequence[Schedule] = (), workers: int = 1) -> AsyncIterator[None]:
        staff = [self.worker(*tasks, schedules=schedules) for _ in range(workers)]
        running = [asyncio.create_task(worker.run()) for worker in staff]
        try:
            yield
        finally:
            for worker in staff:
                worker.stop()
            await asyncio.gather(*running)

    async def left(self) -> tuple[int, int]:
        """(jobs that are queued or running, dead letters)."""

        def rows(conn: Connection) -> tuple[int, int]:
            live = conn.exec_driver_sql("SELECT COUNT(*) FROM jobs").scalar_one()
            return live, self.jobs.list_dead(conn, PageRequest()).total

        return await self.db.read(rows)

    async def done(self) -> bool:
        return (await self.left())[0] == 0


@pytest.fixture
def shop(db: Database, store: Store) -> Shop:
    return Shop(db, store)


async def test_every_job_runs_once_with_several_workers(shop: Shop) -> None:
    ran: list[int] = []

    async def handler(job: Job) -> None:
        ran.append(job.args["n"])

    for number in range(60):
        await shop.db.write(shop.jobs.enqueue, "t", {"n": number})
    async with shop.working(Task("t", handler), workers=3):
        await until(shop.done)

    assert sorted(ran) == list(range(60))


async def test_a_rolled_back_transaction_enqueues_nothing(shop: Shop) -> None:
    def unit(conn: Connection) -> None:
        shop.jobs.enqueue(conn, "t", {})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await shop.db.write(unit)

    assert await shop.left() == (0, 0)


async def test_a_failing_job_is_retried_then_given_up_and_resolved(shop: Shop) -> None:
    """After its last attempt it is a dead letter, its business resolved in the same transaction; reviving runs it."""
    attempts: list[int] = []
    resolved: list[int] = []

    async def handler(job: Job) -> None:
        attempts.append(job.attempt)
        if len(attempts) <= 3:
            raise ValueError("no")

    task = Task("t", handler, Retry(attempts=3, first=0.05), on_dead=lambda conn, job, error: resolved.append(job.id))
    job_id = await shop.db.write(shop.jobs.enqueue, "t", {})
    async with shop.working(task):
        await until(shop.done)
        left = await shop.left()
        revived = await shop.db.write(shop.jobs.revive, job_id)
        await until(shop.done)

    assert attempts == [1, 2, 3, 1]
    assert (left, resolved, revived) == ((0, 1), [job_id], True)
    assert await shop.left() == (0, 0)


async def test_a_hopeless_error_gives_a_job_up_at_once(shop: Shop) -> None:
    """Another run would do no better; other errors of the same task are tried again."""
    attempts: list[int] = []

    async def handler(job: Job) -> None:
        attempts.append(job.attempt)
        raise (KeyError if len(attempts) < 2 else ValueError)("no")

    await shop.db.write(shop.jobs.enqueue, "t", {})
    async with shop.working(Task("t", handler, Retry(attempts=9, first=0.05, hopeless=(ValueError,)))):
        await until(shop.done)

    assert attempts == [1, 2]
    assert await shop.left() == (0, 1)


async def test_a_job_that_comes_back_later_holds_no_slot(shop: Shop) -> None:
    """Many jobs that wait for something far away share few slots."""
    rounds: dict[int, int] = {}

    async def handler(job: Job) -> Again | None:
        rounds[job.id] = rounds.get(job.id, 0) + 1
        return Again(0.05) if rounds[job.id] < 3 else None

    for _ in range(100):
        await shop.db.write(shop.jobs.enqueue, "t", {})
    async with shop.working(Task("t", handler)):
        await until(shop.done)

    assert set(rounds.values()) == {3} and len(rounds) == 100


async def test_no_more_jobs_run_than_there_are_slots(shop: Shop) -> None:
    """The bell and the look at what is due share the slots; and a full house is refilled at once, not a second later."""
    running, most, ran = 0, 0, 0

    async def handler(job: Job) -> None:
        nonlocal running, most, ran
        running, ran = running + 1, ran + 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    for _ in range(40):
        await shop.db.write(shop.jobs.enqueue, "t", {}, run_at=CLOCK.now())
    unhurried = SETTINGS.model_copy(update={"concurrency": 4, "sweep_seconds": 20})
    worker = Worker(shop.db, shop.bell, shop.jobs, CLOCK, [Task("t", handler)], [], unhurried)
    work = asyncio.create_task(worker.run())
    for _ in range(40):
        await shop.db.write(shop.jobs.enqueue, "t", {})
    await until(shop.done, 15)
    worker.stop()
    await work

    assert (ran, most) == (80, 4)


async def test_a_lost_workers_job_is_taken_over_and_its_late_result_refused(shop: Shop) -> None:
    """A worker that was paused past its lease cannot finish what another one has taken over (fencing)."""
    job_id = await shop.db.write(shop.jobs.enqueue, "t", {})
    (stale,) = await shop.db.write(claims.claim, claims.due(["t"], 1), "paused", 0.0)
    seen: list[Job] = []
    release = asyncio.Event()

    async def handler(job: Job) -> None:
        seen.append(job)
        await release.wait()

    async with shop.working(Task("t", handler)):
        await until(lambda: _true(bool(seen)))
        await shop.db.write(claims.finish, [stale], [])
        still_there = await shop.left()
        release.set()
        await until(shop.done)

    assert (seen[0].id, stale.token, seen[0].token) == (job_id, 1, 2)
    assert still_there == (1, 0)


async def test_a_worker_leaves_alone_what_it_does_not_know(shop: Shop) -> None:
    """While a fleet is updated, jobs of new tasks wait for a worker that has them; nothing is tried in vain."""
    newer = await shop.db.write(shop.jobs.enqueue, "newer", {})
    await shop.db.write(shop.jobs.enqueue, "t", {})
    seen: list[Job] = []

    async def handler(job: Job) -> None:
        seen.append(job)

    async with shop.working(Task("t", handler)):
        await until(lambda: _true(bool(seen)))
        await asyncio.sleep(5 * SETTINGS.sweep_seconds)
    left = await shop.left()
    async with shop.working(Task("newer", handler)):
        await until(shop.done)

    assert left == (1, 0)
    assert [(job.task, job.attempt) for job in seen] == [("t", 1), ("newer", 1)] and seen[1].id == newer


async def test_a_job_that_kills_its_workers_is_given_up(shop: Shop) -> None:
    """A poison job does not go round for ever."""
    await shop.db.write(shop.jobs.enqueue, "t", {})
    task = Task("t", _never, Retry(attempts=2))
    for _ in range(2):
        assert len(await shop.db.write(claims.claim, claims.due(["t"], 1), "dead", 0.0)) == 1
        await until(lambda: _recovered(shop, task))

    assert await shop.left() == (0, 1)


async def test_a_keyed_job_asked_for_while_it_runs_runs_once_more(shop: Shop) -> None:
    """No wake-up is lost, and a hundred of them make one run."""
    runs: list[int] = []
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        runs.append(job.id)
        started.set()
        await release.wait()

    async with shop.working(Task("t", handler)):
        await shop.db.write(shop.jobs.enqueue_once, "t", "key", {})
        await started.wait()
        for _ in range(20):
            await shop.db.write(shop.jobs.enqueue_once, "t", "key", {})
        release.set()
        await until(shop.done)

    assert len(runs) == 2


async def test_a_schedule_fires_once_for_the_whole_fleet(shop: Shop) -> None:
    runs: list[int] = []

    async def handler(job: Job) -> None:
        runs.append(job.id)

    schedule = Schedule("t", every=0.4)
    async with shop.working(Task("t", handler), schedules=[schedule], workers=3):
        started = CLOCK.monotonic()
        await until(lambda: _true(len(runs) >= 3))
        passed = CLOCK.monotonic() - started

    assert len(runs) <= passed / 0.4 + 1


async def test_a_stopping_worker_gives_back_what_it_cannot_finish(shop: Shop) -> None:
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    worker = Worker(
        shop.db,
        shop.bell,
        shop.jobs,
        CLOCK,
        [Task("t", handler)],
        [],
        JobsSettings(sweep_seconds=0.05, drain_seconds=0.1),
    )
    await shop.db.write(shop.jobs.enqueue, "t", {})
    running = asyncio.create_task(worker.run())
    await started.wait()
    worker.stop()
    await running
    (again,) = await shop.db.write(claims.claim, claims.due(["t"], 1), "next", 10.0)

    assert again.attempt == 1


async def test_jobs_run_without_a_store(shop: Shop, db: Database) -> None:
    """The doorbell is a hint: with nobody to ring, the sweep finds the job."""
    ran: list[int] = []

    async def handler(job: Job) -> None:
        ran.append(job.id)

    nowhere = Store("unix:///nonexistent/valkey.sock")
    deaf = Shop(db, nowhere)
    await deaf.db.write(deaf.jobs.enqueue, "t", {})
    async with deaf.working(Task("t", handler)):
        await until(deaf.done)
    await nowhere.close()

    assert len(ran) == 1


async def test_a_job_that_waits_under_its_key_for_later_runs_when_it_is_wanted_now(shop: Shop) -> None:
    """A process whose clock is a day ahead must not put a schedule to sleep until tomorrow."""
    ran: list[int] = []

    async def handler(job: Job) -> None:
        ran.append(job.id)

    tomorrow = CLOCK.now() + timedelta(days=1)
    await shop.db.write(shop.jobs.enqueue_once, "t", "key", {}, run_at=tomorrow)
    await shop.db.write(shop.jobs.enqueue_once, "t", "key", {})
    async with shop.working(Task("t", handler)):
        await until(shop.done)

    assert len(ran) >= 1


async def test_whoever_enqueues_may_have_a_wrong_clock(shop: Shop) -> None:
    """A job is due by the database's clock, be it enqueued by a process that is a day ahead or a day behind."""
    ran: list[str] = []

    async def handler(job: Job) -> None:
        ran.append(str(job.args["clock"]))

    for days in (1, -1):
        wrong = ManualClock(CLOCK.now() + timedelta(days=days))
        jobs = Jobs(ids, wrong, shop.bell)
        await shop.db.write(jobs.enqueue, "t", {"clock": f"{days}, at once"})
        soon = wrong.now() + timedelta(seconds=0.2)
        await shop.db.write(jobs.enqueue, "t", {"clock": f"{days}, soon"}, run_at=soon)
    async with shop.working(Task("t", handler)):
        await until(shop.done, 10)

    assert sorted(ran) == ["-1, at once", "-1, soon", "1, at once", "1, soon"]


async def test_what_is_asked_for_while_it_runs_runs_again_at_once_whatever_the_clock_of_who_asked(shop: Shop) -> None:
    ahead = Jobs(ids, ManualClock(CLOCK.now() + timedelta(days=1)), shop.bell)
    runs = 0

    async def handler(job: Job) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await shop.db.write(ahead.enqueue_once, "t", "k", {})

    await shop.db.write(ahead.enqueue_once, "t", "k", {})
    async with shop.working(Task("t", handler)):
        await until(shop.done, 10)

    assert runs == 2


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("store_kind", ["redis"], indirect=True)
async def test_what_is_not_due_yet_is_not_looked_at(shop: Shop) -> None:
    """Few of very many jobs are due: PostgreSQL goes to them by the index, and not through all that wait."""
    later = CLOCK.now() + timedelta(hours=1)

    def fill(conn: Connection) -> None:
        for _ in range(3_000):
            shop.jobs.enqueue(conn, "t", {}, run_at=later)
        conn.exec_driver_sql("ANALYZE jobs")

    def plan(conn: Connection) -> str:
        query = str(claims.due(["t"], 40).compile(conn, compile_kwargs={"literal_binds": True}))
        return "\n".join(conn.exec_driver_sql(f"EXPLAIN {query}").scalars())

    await shop.db.write(fill)
    conditions = [line for line in (await shop.db.read(plan)).splitlines() if "Index Cond" in line]

    assert len(conditions) == 1 and "run_at <=" in conditions[0]


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0, 1e300])
async def test_a_time_that_is_none_fails_its_own_run_only(shop: Shop, seconds: float) -> None:
    """What a vendor told us to wait may be anything; the jobs beside it are finished all the same."""

    async def mad(job: Job) -> Again:
        return Again(seconds)

    async def good(job: Job) -> None: ...

    await shop.db.write(shop.jobs.enqueue, "mad", {})
    await shop.db.write(shop.jobs.enqueue, "good", {})
    async with shop.working(Task("mad", mad, Retry(attempts=1)), Task("good", good)):
        await until(shop.done)

    assert await shop.left() == (0, 1)


async def _true(value: bool) -> bool:
    return value


async def _recovered(shop: Shop, task: Task) -> bool:
    return any(await shop.db.write(claims.recover, {"t": task}, CLOCK.now()))


async def _never(job: Job) -> None:
    raise AssertionError("it never got that far")
