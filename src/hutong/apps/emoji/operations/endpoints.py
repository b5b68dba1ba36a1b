"""GET /health, as the seed describes it; no token needed, outside the base path."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from hutong import __version__
from hutong.apps.emoji.contract.responses import failures
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.strict import StrictRoute
from hutong.kit.clock import iso_z

USED = frozenset({"database", "redis", "storage"})
"""Components that this app leans on; the others are other apps'."""
router = APIRouter(tags=["operations"], route_class=StrictRoute)


class ComponentView(BaseModel):
    """One dependency."""

    status: Literal["up", "down"]
    latency_ms: float | None


class HealthView(BaseModel):
    """How this installation does."""

    status: Literal["healthy", "unhealthy"]
    timestamp: str
    components: dict[str, ComponentView]
    version: str


@router.get(
    "/health",
    response_model=HealthView,
    responses=failures() | {503: {"model": HealthView, "description": "A required part is down."}},
    summary="Health of every part",
)
async def health(request: Request) -> Response:
    """Pings every dependency; 503 when a required one is down."""
    kernel = request.app.state.emoji.kernel
    found = await kernel.health.check()
    used = [part for part in found.components if part.name in USED]
    parts = {part.name: ComponentView(status=part.status, latency_ms=part.latency_ms) for part in used}
    view = HealthView(
        status="healthy" if found.ready else "unhealthy",
        timestamp=iso_z(kernel.clock.now()),
        components=parts,
        version=__version__,
    )
    return Response(view.model_dump_json(), 200 if found.ready else 503, media_type=JSON)
