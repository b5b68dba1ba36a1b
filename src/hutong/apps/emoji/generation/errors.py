"""What can go wrong with a task."""

from hutong.kit.errors import Conflict, NotFound


class TaskUnknown(NotFound):
    """There is no such task."""

    code = "emoji.task_unknown"


class TaskNotCancellable(Conflict):
    """This task is being worked on; wait until it has ended."""

    code = "emoji.task_not_cancellable"
