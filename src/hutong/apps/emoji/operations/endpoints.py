"""GET /health, as the seed describes it; no token needed, outside the base path."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from hutong import __version__
from hutong.apps.emoji.contract.responses import failures
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.strict import StrictRoute
from hutong.kit.clock import iso_z

NOT_OURS = frozenset({"mail"})
"""Parts of the installation that this app never asks."""
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
    ours = [part for part in found.components if part.name not in NOT_OURS]
    parts = {part.name: ComponentView(status=part.status, latency_ms=part.latency_ms) for part in ours}
    view = HealthView(
        status="healthy" if found.ready else "unhealthy",
        timestamp=iso_z(kernel.clock.now()),
        components=parts,
        version=__version__,
    )
    return Response(view.model_dump_json(), 200 if found.ready else 503, media_type=JSON)
