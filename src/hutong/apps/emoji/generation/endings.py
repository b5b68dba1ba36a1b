"""How a task ends: completed and paid for, or failed with its points back; each in one transaction, each once.

Source: contracts/emoji.md "Generation pipeline"; DESIGN §2.6, §2.14.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from hutong.apps.emoji.generation import repository, rules
from hutong.apps.emoji.generation.errors import TaskNotCancellable
from hutong.apps.emoji.generation.repository import TaskRow
from hutong.apps.emoji.generation.tables import Stage, TaskStatus
from hutong.kernel.credits import release, settle
from hutong.kernel.gateway import VIDEO_LANE, free_slot


def complete(conn: Connection, task: TaskRow, result_key: str, now: datetime, ids: Callable[[], int]) -> bool:
    """The video is stored: settle the points. False when somebody else ended the task first."""
    ended = {"result_key": result_key, "completed_at": now, "status": TaskStatus.COMPLETED}
    if not repository.move(conn, task, Stage.ENDED, now, ids, "completed", ended):
        return False
    settle(conn, task.hold_id, now)
    return True


def fail(conn: Connection, task: TaskRow, kind: str, code: str, now: datetime, ids: Callable[[], int]) -> bool:
    """The task cannot be done: points back, slot free. False when somebody else ended it first.

    Args:
        conn: the unit of work.
        task: as it was read.
        kind: key of `rules.MESSAGES`, what the user is told.
        code: for the operator, as in `InternalError.Algo`.
        now: the moment.
        ids: makes ids.
    """
    ended = {
        "error_code": code[:64],
        "error_message": rules.MESSAGES[kind],
        "completed_at": now,
        "status": TaskStatus.FAILED,
    }
    if not repository.move(conn, task, Stage.ENDED, now, ids, f"failed: {code}", ended):
        return False
    release(conn, task.hold_id, ids(), now)
    free_slot(conn, VIDEO_LANE, str(task.id))
    return True


def fail_own(conn: Connection, task: TaskRow, code: str, now: datetime, ids: Callable[[], int]) -> TaskRow:
    """Call off a waiting task for its owner and return it as it is now.

    Raises:
        TaskNotCancellable: it was admitted a moment before.
    """
    if not fail(conn, task, "provider", code, now, ids):
        raise TaskNotCancellable
    found = repository.find(conn, task.id)
    assert found is not None
    return found
