"""POST /emoji/create, GET and DELETE /emoji/task/{task_id}, GET /emoji/history."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic.json_schema import SkipJsonSchema

from hutong.apps.emoji.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.emoji.deps import App, Caller, Emoji, limit_user
from hutong.apps.emoji.envelope import Envelope, ok
from hutong.apps.emoji.generation.errors import TaskUnknown
from hutong.apps.emoji.generation.repository import TaskRow
from hutong.apps.emoji.generation.schemas import CreatedView, CreateTask, RemovedView, TaskPage, TaskView
from hutong.kernel.http.paging import Paging
from hutong.kernel.http.strict import StrictRoute
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id

router = APIRouter(prefix="/api/v1/emoji", tags=["emoji"], route_class=StrictRoute)
IdempotencyKey = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="The same key again gives the first answer, not a second task. 1 to 255 visible ASCII characters.",
        examples=["order-1"],
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    ),
]
TaskId = Annotated[
    str,
    Path(
        description="As POST /emoji/create answered it; anything else is an unknown task.",
        examples=["250348760216502272"],
        json_schema_extra={"minLength": 1, "maxLength": 64},
    ),
]


@router.post(
    "/create",
    response_model=Envelope[CreatedView],
    responses=failures(*SIGNED_IN, *WITH_BODY, 402001, 404002, 409001, 422001, 422002, 422003, 422009, 502001),
    summary="Make a video; takes points",
)
async def create(body: CreateTask, emoji: App, caller: Caller, idempotency_key: IdempotencyKey = None) -> Response:
    """Detects first if that was not done. The points come back if the video cannot be made."""
    await limit_user(emoji, "create", emoji.settings.create_per_minute, caller)
    answer = await emoji.generations.create(caller, body.image_url, body.driven_id, idempotency_key)
    balance = await emoji.kernel.wallet.balance(caller)
    return ok(CreatedView.model_validate({**answer, "balance": balance}))


@router.get(
    "/task/{task_id}",
    response_model=Envelope[TaskView],
    responses=failures(*SIGNED_IN, 404001),
    summary="How a task stands",
)
async def read_task(task_id: TaskId, emoji: App, caller: Caller) -> Response:
    """Ask every few seconds while it is pending or processing."""
    task, position, eta = await emoji.generations.get(caller, _id(task_id))
    return ok(_view(emoji, task, position, eta))


@router.get(
    "/history",
    response_model=Envelope[TaskPage],
    responses=failures(*SIGNED_IN),
    summary="The caller's tasks",
)
async def list_history(emoji: App, caller: Caller, paging: Paging) -> Response:
    """Newest first."""
    page = await emoji.generations.list(caller, paging)
    items = [_view(emoji, task, None, None) for task in page.items]
    return ok(TaskPage(items=items, total=page.total, page=page.page, page_size=page.page_size))


@router.delete(
    "/task/{task_id}",
    response_model=Envelope[RemovedView],
    responses=failures(*SIGNED_IN, 404001, 409002),
    summary="Remove a task, or call it off",
)
async def remove_task(task_id: TaskId, emoji: App, caller: Caller) -> Response:
    """Ended: removes the record and its files. Waiting: called off, points back. Being worked on: 409002."""
    refunded = await emoji.generations.remove(caller, _id(task_id))
    return ok(RemovedView(task_id=task_id, refunded=refunded))


def _id(text: str) -> int:
    """An id that cannot be one of ours is simply unknown."""
    found = parse_id(text)
    if found is None:
        raise TaskUnknown
    return found


def _view(emoji: Emoji, task: TaskRow, position: int | None, eta: int | None) -> TaskView:
    return TaskView(
        task_id=str(task.id),
        task_type=task.task_type,
        driven_id=task.driven_id,
        style_name=task.style_name,
        status=task.status,
        points_cost=task.points_cost,
        source_image_url=emoji.generations.link(task.source_image_key),
        result_url=emoji.generations.link(task.result_key) if task.result_key else None,
        error_message=task.error_message,
        queue_position=position,
        eta_seconds=eta,
        created_at=iso_z(task.created_at),
        completed_at=iso_z(task.completed_at) if task.completed_at else None,
    )
