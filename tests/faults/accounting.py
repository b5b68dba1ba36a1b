"""What clients were promised against what database, files and vendor hold: nothing lost, nothing doubled.

Read once the load has ended and everything in the pipeline has come to its end.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from faults.fleet import Disruption, Fleet
from faults.load import Crowd, Promise
from hutong.apps.emoji.generation.erasing import TIDY, Erasing
from hutong.apps.emoji.generation.rules import result_key
from hutong.apps.emoji.generation.tables import emoji_task_events, emoji_tasks
from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.credits.tables import credit_entries, credit_holds
from hutong.kernel.gateway.slots import provider_slots
from hutong.kernel.jobs import Job
from hutong.kernel.jobs.tables import dead_jobs, jobs
from hutong.kit.clock import ManualClock
from hutong.providers.dashscope.sandbox.queue import Task
from support.stand import VIDEO

MOVES: Mapping[str, set[str]] = {
    "": {"queued"},
    "queued": {"submitting", "ended"},
    "submitting": {"submitting", "generating", "queued", "ended"},
    "generating": {"storing", "ended"},
    "storing": {"ended"},
    "ended": set(),
}
"""The pipeline as a state machine; the events of each task must be a path of it."""
REMOTE = "remote "
ANSWER_SECONDS = 2.0
"""A submission's answer is on its way for no longer than this, unless something is out of order."""


@dataclass(frozen=True)
class Rows:
    """The tables, as they stood at one moment."""

    tasks: Mapping[int, Any]
    events: Mapping[int, Sequence[Any]]
    holds: Mapping[int, Sequence[Any]]
    entries: Mapping[int, Sequence[Any]]
    slots: Sequence[Any]
    waiting: Sequence[Any]
    dead: Sequence[Any]


@dataclass
class Account:
    """The bill of a run."""

    promised: int = 0
    tasks: int = 0
    removed: int = 0
    completed: int = 0
    failed: int = 0
    charges: int = 0
    refunds: int = 0
    results: int = 0
    strays: int = 0
    remote: int = 0
    unknowable: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.broken)


def jobs_left() -> Select[Any]:
    """Jobs of the pipeline; those that a schedule queues come and go for ever."""
    by_itself = jobs.c.dedup_key.like("schedule:%")
    return select(jobs.c.id, jobs.c.task, jobs.c.last_error).where(or_(jobs.c.dedup_key.is_(None), ~by_itself))


def read_rows(conn: Connection) -> Rows:
    """Everything that the accounts need."""

    def grouped(table: Any, column: str) -> Mapping[int, Sequence[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for row in conn.execute(select(table)):
            found[int(getattr(row, column))].append(row)
        return found

    taken = credit_entries.c.ref_type.like("emoji_task:%")
    entries: dict[int, list[Any]] = defaultdict(list)
    for row in conn.execute(select(credit_entries).where(taken)):
        entries[int(row.ref_id)].append(row)
    return Rows(
        tasks={row.id: row for row in conn.execute(select(emoji_tasks))},
        events=grouped(emoji_task_events, "task_id"),
        holds=grouped(credit_holds, "ref_id"),
        entries=entries,
        slots=conn.execute(select(provider_slots)).all(),
        waiting=conn.execute(jobs_left()).all(),
        dead=conn.execute(select(dead_jobs)).all(),
    )


async def account_of(fleet: Fleet, crowd: Crowd, *, clocks_lie: bool = False) -> Account:
    """Hold every promise against what is there; with `clocks_lie`, the events' times say nothing about their order."""
    rows = await fleet.host.kernel.db.read(read_rows)
    account = Account(promised=len(crowd.promises), tasks=len(rows.tasks), dead=Counter(row.task for row in rows.dead))
    account.lost += crowd.unanswered
    account.doubled += crowd.doubled
    account.broken += [f"{number} × {what}" for what, number in crowd.surprises.items()]
    for promise in crowd.promises.values():
        _check_promise(promise, rows, account, ordered=not clocks_lie)
    _check_unpromised(crowd, rows, account)
    _check_leftovers(rows, account)
    await _check_files(fleet, rows, account)
    _check_vendor(await fleet.vendor.tasks(), fleet, rows, account)
    account.broken += [
        f"{found.invariant}: {found.row}" for found in await fleet.host.kernel.db.read(fleet.host.verify)
    ]
    return account


def _check_promise(promise: Promise, rows: Rows, account: Account, *, ordered: bool) -> None:
    name = f"task {promise.task_id} ({promise.key})"
    task, events = rows.tasks.get(promise.task_id), rows.events.get(promise.task_id, ())
    if not events:
        account.lost.append(f"{name} was acknowledged and never existed")
        return
    if task is None and not promise.removed:
        account.lost.append(f"{name} is gone; its owner did not remove it")
    if task is not None and promise.removed:
        account.broken.append(f"{name} was removed and is there")
    account.removed += task is None
    completed = _check_history(name, events, account, ordered=ordered)
    if promise.seen in {"completed", "failed"} and promise.seen != ("completed" if completed else "failed"):
        account.broken.append(f"{name} was seen {promise.seen} and ended otherwise")
    account.completed += completed
    account.failed += not completed
    _check_points(name, promise, rows, completed=completed, account=account)


def _check_history(name: str, events: Sequence[Any], account: Account, *, ordered: bool) -> bool:
    """Whether it ended completed; its events must be a path of the state machine, with one end."""
    ends = [event for event in events if event.stage == "ended"]
    if not ends:
        account.lost.append(f"{name} never ended")
    if len(ends) > 1:
        account.doubled.append(f"{name} ended {len(ends)} times")
    stage = ""
    for event in sorted(events, key=lambda row: (row.created_at, row.id)) if ordered else ():
        if event.stage not in MOVES[stage]:
            account.broken.append(f"{name} went from {stage or 'nothing'} to {event.stage} ({event.note})")
        stage = event.stage
    return any(event.status == "completed" for event in ends)


def _check_points(name: str, promise: Promise, rows: Rows, *, completed: bool, account: Account) -> None:
    """One charge; then either it was settled, or it came back once."""
    entries = rows.entries.get(promise.task_id, ())
    charges = [row.amount for row in entries if row.kind == "consume"]
    refunds = [row.amount for row in entries if row.kind == "refund"]
    account.charges += len(charges)
    account.refunds += len(refunds)
    if charges != [-promise.cost]:
        (account.doubled if len(charges) > 1 else account.lost).append(f"{name} was charged {charges}")
    wanted = [] if completed else [promise.cost]
    if refunds != wanted:
        (account.doubled if len(refunds) > len(wanted) else account.lost).append(f"{name} gave back {refunds}")
    states = [row.state for row in rows.holds.get(promise.task_id, ())]
    if states != ["settled" if completed else "released"]:
        account.broken.append(f"{name} has holds {states}")


def _check_unpromised(crowd: Crowd, rows: Rows, account: Account) -> None:
    """A customer asks until there is an answer, so a task nobody was told of is one too many."""
    for task_id, events in rows.events.items():
        if task_id not in crowd.promises and events[0].user_id in crowd.users:
            account.doubled.append(f"task {task_id} exists and was promised to nobody")


def _check_leftovers(rows: Rows, account: Account) -> None:
    account.broken += [f"slot {row.slot} is held by {row.ref_id}" for row in rows.slots]
    account.broken += [f"job {row.task} is left over: {row.last_error}" for row in rows.waiting]
    account.broken += [f"job {row.task} was given up: {row.error[:100]}" for row in rows.dead]


async def _check_files(fleet: Fleet, rows: Rows, account: Account) -> None:
    """Every completed task has its whole video, and no video without a task outlives the nightly tidying.

    A worker that is killed, or loses its job, between putting a video and looking whether anybody still wants it leaves
    one behind.
    """
    folder = fleet.installation.data / "files" / "objects"
    wanted = {result_key(row.user_id, row.id): row.id for row in rows.tasks.values() if row.status == "completed"}
    found = _videos(folder)
    account.results, account.strays = len(found), len(found - wanted.keys())
    await _tidy(fleet)
    for key, task_id in wanted.items():
        path = folder / key
        if not path.is_file() or path.read_bytes() != VIDEO:
            account.lost.append(f"the video of task {task_id} is missing or not whole")
    account.broken += [f"{key} lies there without a task" for key in _videos(folder) - wanted.keys()]


def _videos(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("results/*/*")}


async def _tidy(fleet: Fleet) -> None:
    """What the nightly job does, as if it were the night after the next."""
    kernel = fleet.host.kernel
    later = ManualClock(kernel.clock.now() + timedelta(days=2))
    erasing = Erasing(replace(kernel, clock=later), fleet.host.settings.emoji)
    await erasing.tidy(Job(0, TIDY, {}, 1, 1, later.now()))


def _check_vendor(remote: Sequence[Task], fleet: Fleet, rows: Rows, account: Account) -> None:
    """At most one generation a task, and one more for each time that the answer could not be known."""
    account.remote = len(remote)
    known: set[str] = set()
    for events in rows.events.values():
        known |= {event.note.removeprefix(REMOTE) for event in events if event.note.startswith(REMOTE)}
    most = EmojiSettings().submissions
    orders = Counter((task.image_path, task.driven_id) for task in remote)
    account.doubled += [
        f"{path} {template} was ordered {n} times" for (path, template), n in orders.items() if n > most
    ]
    for task in remote:
        if task.id in known:
            continue
        if task.id in fleet.vendor.told and not _disturbed(task.submit_ms / 1000, fleet.disruptions):
            account.doubled.append(f"generation {task.id} was ordered, its answer arrived, and it was not used")
        else:
            account.unknowable += 1


def _disturbed(moment: float, disruptions: Sequence[Disruption]) -> bool:
    """Whether whoever waited for the answer may have been killed, frozen or cut off before writing it down."""
    return any(
        one.begun - ANSWER_SECONDS <= moment <= one.ended for one in disruptions if one.kind in {"worker", "database"}
    )
