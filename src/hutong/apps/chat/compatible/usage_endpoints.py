"""GET /users/me/usage: what the caller used of which model on which day."""

import re
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, BeforeValidator, Field

from hutong.apps.chat.compatible.errors import UsageSpanInvalid
from hutong.apps.chat.compatible.repository import DayUse, list_usage
from hutong.apps.chat.contract.responses import SIGNED_IN, failures
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.kernel.http.paging import Paging
from hutong.kernel.http.strict import StrictRoute

MOST_DAYS = 366
USUAL_DAYS = 30
router = APIRouter(prefix=f"{API}/users/me", tags=["account"], route_class=StrictRoute)


def _written_out(value: object) -> object:
    """Numbers are no days, though pydantic would count seconds from 1970."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("write the day as in 2026-11-24")
    return value


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
Day = Annotated[date, BeforeValidator(_written_out)]


class DayView(BaseModel):
    """One model on one UTC day."""

    day: date
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int = Field(description="Micro-units of the models' currency.")


class UsageView(BaseModel):
    """A page of days, the newest first."""

    items: list[DayView]
    total: int
    page: int
    page_size: int


@router.get(
    "/usage",
    response_model=UsageView,
    responses=failures(*SIGNED_IN, UsageSpanInvalid),
    summary="What was used, by day and model",
)
async def read_usage(
    app: App,
    caller: Caller,
    paging: Paging,
    since: Annotated[Day | None, Query(description="First UTC day; left out, a month before the last one.")] = None,
    until: Annotated[Day | None, Query(description="Last UTC day; left out, today.")] = None,
) -> Response:
    """Sums of the calls under `/v1`, as they were settled."""
    last = until or app.kernel.clock.now().date()
    first = since or max(date.min, last - timedelta(days=min(USUAL_DAYS, last.toordinal() - 1)))
    if not 0 <= (last - first).days < MOST_DAYS:
        raise UsageSpanInvalid
    days, total = await app.kernel.db.read(
        list_usage,
        caller.user_id,
        since=first,
        until=last,
        offset=paging.offset,
        limit=paging.page_size,
    )
    items = [_view(each) for each in days]
    return ok(UsageView(items=items, total=total, page=paging.page, page_size=paging.page_size))


def _view(use: DayUse) -> DayView:
    return DayView(**{name: getattr(use, name) for name in DayUse.__dataclass_fields__})
