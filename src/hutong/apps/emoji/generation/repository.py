"""Queries and moves of tasks. Moves are compare-and-set; the count of changed rows decides who won."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from hutong.apps.emoji.generation.tables import Stage, TaskStatus, emoji_task_events, emoji_tasks
from hutong.kit.paging import Page, PageRequest
from hutong.kit.text import shorten

STATUS_OF = {
    Stage.QUEUED: TaskStatus.PENDING,
    Stage.SUBMITTING: TaskStatus.PROCESSING,
    Stage.GENERATING: TaskStatus.PROCESSING,
    Stage.STORING: TaskStatus.PROCESSING,
}
_id = emoji_tasks.c.id
TaskRow = Row[Any]


@dataclass(frozen=True, slots=True)
class Line:
    """How the queue stands: tasks waiting before one, and tasks being worked on."""

    ahead: int
    running: int


def create(conn: Connection, values: Mapping[str, Any]) -> None:
    """Add a pending task."""
    conn.execute(emoji_tasks.insert().values(**values))


def find(conn: Connection, task_id: int) -> TaskRow | None:
    """A task, whoever's it is: for the pipeline, which acts for the house."""
    return conn.execute(select(emoji_tasks).where(_id == task_id)).first()


def find_own(conn: Connection, user_id: int, task_id: int) -> TaskRow | None:
    """The user's own task."""
    return conn.execute(select(emoji_tasks).where(_id == task_id, emoji_tasks.c.user_id == user_id)).first()


def list_own(conn: Connection, user_id: int, request: PageRequest) -> Page[TaskRow]:
    """The user's tasks, newest first."""
    mine = emoji_tasks.c.user_id == user_id
    total = conn.execute(select(func.count()).select_from(emoji_tasks).where(mine)).scalar_one()
    newest = select(emoji_tasks).where(mine).order_by(_id.desc())
    rows = conn.execute(newest.limit(request.page_size).offset(request.offset)).all()
    return Page(rows, total, request.page, request.page_size)


def find_first_waiting(conn: Connection) -> TaskRow | None:
    """The task that has waited longest."""
    waiting = select(emoji_tasks).where(emoji_tasks.c.status == TaskStatus.PENDING)
    return conn.execute(waiting.order_by(_id).limit(1)).first()


def line(conn: Connection, task_id: int) -> Line:
    """Where a waiting task stands."""
    waiting = and_(emoji_tasks.c.status == TaskStatus.PENDING, _id < task_id)
    ahead = conn.execute(select(func.count()).select_from(emoji_tasks).where(waiting)).scalar_one()
    active = emoji_tasks.c.status == TaskStatus.PROCESSING
    running = conn.execute(select(func.count()).select_from(emoji_tasks).where(active)).scalar_one()
    return Line(ahead, running)


def recent_spans(conn: Connection, limit: int = 20) -> list[float]:
    """Seconds that the latest generations took, from submission until the provider was done."""
    columns = (emoji_tasks.c.submitted_at, emoji_tasks.c.generated_at)
    done = select(*columns).where(emoji_tasks.c.status == TaskStatus.COMPLETED).order_by(_id.desc()).limit(limit)
    return [(end - start).total_seconds() for start, end in conn.execute(done) if start and end]


def move(
    conn: Connection,
    task: TaskRow,
    to: Stage,
    now: datetime,
    ids: Callable[[], int],
    note: str,
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Move a task from where `task` shows it (stage and number of submissions) to a stage, and leave an event.

    Args:
        conn: the unit of work.
        task: as it was read.
        to: the new stage.
        now: the moment.
        ids: makes ids.
        note: for the event.
        values: other columns; `status` where the stage does not say it (an ended task).

    Returns:
        False, nothing changed, when somebody else moved it first.
    """
    changed = {"status": STATUS_OF.get(to), **(values or {}), "stage": to}
    seen = and_(_id == task.id, emoji_tasks.c.stage == task.stage, emoji_tasks.c.submissions == task.submissions)
    if conn.execute(update(emoji_tasks).where(seen).values(**changed)).rowcount != 1:
        return False
    record(conn, task.user_id, task.id, TaskStatus(changed["status"]), to, note, now, ids)
    return True


def record(
    conn: Connection,
    user_id: int,
    task_id: int,
    status: TaskStatus,
    stage: Stage,
    note: str,
    now: datetime,
    ids: Callable[[], int],
) -> None:
    """Leave an event."""
    conn.execute(
        emoji_task_events.insert().values(
            id=ids(),
            user_id=user_id,
            task_id=task_id,
            status=status.value,
            stage=stage.value,
            note=shorten(note, 255),
            created_at=now,
        )
    )


def remove(conn: Connection, task: TaskRow) -> bool:
    """Delete a task that is still in the stage that `task` shows."""
    return conn.execute(emoji_tasks.delete().where(_id == task.id, emoji_tasks.c.stage == task.stage)).rowcount == 1


def with_videos(conn: Connection, task_ids: Sequence[int]) -> set[int]:
    """Which of these tasks have a finished video, or may have one soon, whoever's they are: for the house's own use."""
    keeps = or_(emoji_tasks.c.result_key.is_not(None), emoji_tasks.c.stage != Stage.ENDED)
    return set(conn.execute(select(_id).where(_id.in_(task_ids), keeps)).scalars())


def uses_picture(conn: Connection, user_id: int, picture_id: int) -> bool:
    """Whether any task of the user still needs a picture."""
    same = (emoji_tasks.c.user_id == user_id, emoji_tasks.c.picture_id == picture_id)
    return conn.execute(select(_id).where(*same).limit(1)).first() is not None
