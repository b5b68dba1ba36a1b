"""Bodies of tasks."""

from pydantic import BaseModel, Field

from hutong.apps.emoji.catalogue.schemas import TaskType
from hutong.apps.emoji.generation.tables import TaskStatus
from hutong.kernel.http.strict import StrictModel


class CreateTask(StrictModel):
    """What to make."""

    image_url: str = Field(min_length=1, max_length=4096, description="As returned by POST /emoji/upload.")
    driven_id: str = Field(
        min_length=1, max_length=64, description="A template of GET /config.", examples=["mengwa_kaixin"]
    )


class CreatedView(BaseModel):
    """The task that was made."""

    task_id: str
    status: TaskStatus
    points_cost: int
    balance: int


class TaskView(BaseModel):
    """A task. `queue_position` (from 1) and `eta_seconds` are set while it waits."""

    task_id: str
    task_type: TaskType
    driven_id: str
    style_name: str
    status: TaskStatus
    points_cost: int
    source_image_url: str
    result_url: str | None
    error_message: str | None
    queue_position: int | None
    eta_seconds: int | None
    created_at: str
    completed_at: str | None


class TaskPage(BaseModel):
    """A page of tasks, newest first."""

    items: list[TaskView]
    total: int
    page: int
    page_size: int


class RemovedView(BaseModel):
    """What became of a task."""

    task_id: str
    removed: bool = True
    refunded: int = Field(description="Points that came back because the task was still waiting.")
