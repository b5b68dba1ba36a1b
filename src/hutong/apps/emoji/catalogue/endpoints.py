"""GET /config: everything a client needs at its start, with an entity tag."""

from fastapi import APIRouter, Request, Response

from hutong.apps.emoji.catalogue.schemas import ConfigView
from hutong.apps.emoji.deps import App
from hutong.apps.emoji.envelope import JSON, Envelope
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/v1", tags=["config"], route_class=StrictRoute)


@router.get("/config", response_model=Envelope[ConfigView], summary="All client configuration at once")
async def read_config(request: Request, emoji: App) -> Response:
    """Banners, templates by category, and prices. Send `If-None-Match` to get 304 while nothing changed."""
    body, etag = emoji.catalogue.config()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    given = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in given or "*" in given:
        return Response(status_code=304, headers=headers)
    return Response(b'{"code":0,"message":"success","data":' + body + b"}", 200, headers, JSON)
