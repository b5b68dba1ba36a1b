"""GET /health, at the app's root."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from hutong import __version__
from hutong.apps.chat.contract.responses import failures
from hutong.apps.chat.deps import App
from hutong.apps.chat.envelope import ok
from hutong.kernel.http.strict import StrictRoute
from hutong.kit.clock import iso_z

STORE = "redis"
router = APIRouter(tags=["system"], route_class=StrictRoute)


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
async def health(app: App) -> Response:
    """Pings every dependency; HTTP status 503 when a required one is down. Nobody can call without Redis, so it is required
    here."""
    found = await app.kernel.health.check()
    away = [part for part in found.components if part.status == "down" and (part.required or part.name == STORE)]
    parts = {part.name: ComponentView(status=part.status, latency_ms=part.latency_ms) for part in found.components}
    view = HealthView(
        status="unhealthy" if away else "healthy",
        timestamp=iso_z(app.kernel.clock.now()),
        components=parts,
        version=__version__,
    )
    return ok(view, 503 if away else 200)
