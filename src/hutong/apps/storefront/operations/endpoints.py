"""GET /api/system/health."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from hutong import __version__
from hutong.apps.storefront.contract.responses import failures
from hutong.apps.storefront.deps import App
from hutong.apps.storefront.envelope import Envelope, failed, ok
from hutong.kernel.http.languages import language_of
from hutong.kernel.http.strict import StrictRoute
from hutong.kit.clock import iso_z

STORE = "redis"
router = APIRouter(prefix="/api/system", tags=["system"], route_class=StrictRoute)


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
    response_model=Envelope[HealthView],
    responses=failures() | {503: {"model": Envelope[HealthView], "description": "A required part is down."}},
    summary="Health of every part",
)
async def health(app: App, request: Request) -> Response:
    """Pings every dependency; HTTP status 503 when a required one is down, also with `always_200`. Nobody can call without
    Redis, so it is required here."""
    found = await app.kernel.health.check()
    away = [part for part in found.components if part.status == "down" and (part.required or part.name == STORE)]
    parts = {part.name: ComponentView(status=part.status, latency_ms=part.latency_ms) for part in found.components}
    view = HealthView(
        status="unhealthy" if away else "healthy",
        timestamp=iso_z(app.kernel.clock.now()),
        components=parts,
        version=__version__,
    )
    return failed("SERVICE_UNAVAILABLE", view, language_of(request.scope)) if away else ok(view)
