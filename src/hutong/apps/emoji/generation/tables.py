"""Tables of emoji tasks. Every move of a task leaves a row of events.

Source: seed 004 §2.4 (`emoji_tasks`), with the columns that its pipeline needs (reference/emoji.md §0.4).
"""

from enum import StrEnum

from sqlalchemy import Column, Index, Integer, String, Table, Text

from hutong.kernel.db import Enumerated, Id, Json, UtcTime, metadata


class TaskStatus(StrEnum):
    """The contract's states."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Stage(StrEnum):
    """Where in the pipeline a task is; queued is pending, the next three are processing."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    GENERATING = "generating"
    STORING = "storing"
    ENDED = "ended"


emoji_tasks = Table(
    "emoji_tasks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("user_id", Id, nullable=False),
    Column("task_type", String(32), nullable=False),
    Column("picture_id", Id, nullable=False),
    Column("source_image_key", String(200), nullable=False),
    Column("driven_id", String(64), nullable=False),
    Column("style_name", String(64), nullable=False),
    Column("face_bbox", Json, nullable=False),
    Column("ext_bbox", Json, nullable=False),
    Column("points_cost", Integer, nullable=False),
    Column("hold_id", Id, nullable=False),
    Column("status", Enumerated(TaskStatus, 16), nullable=False),
    Column("stage", Enumerated(Stage, 16), nullable=False),
    Column("submissions", Integer, nullable=False),
    Column("remote_task_id", String(128), unique=True),
    Column("video_url", Text),
    Column("video_seconds", Integer),
    Column("result_key", String(200)),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("submitted_at", UtcTime),
    Column("generated_at", UtcTime),
    Column("completed_at", UtcTime),
    Index(None, "user_id", "id"),
    Index(None, "status", "id"),
    Index(None, "picture_id"),
)

emoji_task_events = Table(
    "emoji_task_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("user_id", Id, nullable=False),
    Column("task_id", Id, nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("note", String(255), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
