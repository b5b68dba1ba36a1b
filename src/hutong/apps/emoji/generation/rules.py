"""Pure decisions about tasks: queue, ETA, what a failure means to the user."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from hutong.apps.emoji.generation.tables import Stage
from hutong.kernel.gateway import Refusal
from hutong.kit.ids import parse_id

RESULTS = "results/"
_RESULT = re.compile(r"results/\d{1,19}/(\d{1,19})\.mp4")
MESSAGES: Mapping[str, str] = {
    "picture": "The picture could not be used; try another one. Your points are back.",
    "violation": "The picture was refused by content moderation. Your points are back.",
    "provider": "The video could not be made; try again. Your points are back.",
    "timeout": "The video took too long; try again. Your points are back.",
    "queue": "The queue was too long; try again later. Your points are back.",
}


def result_key(user_id: int, task_id: int) -> str:
    """Where a finished video lies."""
    return f"{RESULTS}{user_id}/{task_id}.mp4"


def task_of(key: str) -> int | None:
    """The id of the task whose finished video lies at `key`; None for a key of anything else."""
    hit = _RESULT.fullmatch(key)
    return parse_id(hit[1]) if hit else None


def eta_seconds(ahead: int, running: int, lanes: int, usual: float) -> int:
    """Seconds until a waiting task is likely to be done.

    Args:
        ahead: tasks that wait before it.
        running: tasks being generated now.
        lanes: how many are generated at once.
        usual: seconds that one generation takes.
    """
    rounds = math.ceil((ahead + min(running, lanes) + 1) / lanes)
    return math.ceil(rounds * usual)


def is_late(started_at: datetime | None, now: datetime, allowed: float) -> bool:
    """Whether a task is over its time."""
    return started_at is not None and now - started_at > timedelta(seconds=allowed)


def failure_kind(refusal: Refusal | None) -> str:
    """Which message a provider's refusal of the picture becomes."""
    if refusal is None:
        return "provider"
    return "violation" if refusal is Refusal.VIOLATION else "picture"


def is_cancellable(stage: Stage) -> bool:
    """Only a task that nobody has begun to pay for can be called off."""
    return stage is Stage.QUEUED
