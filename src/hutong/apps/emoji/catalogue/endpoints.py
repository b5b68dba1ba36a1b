"""GET /config: everything a client needs at its start, with an entity tag."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from hutong.apps.emoji.catalogue.schemas import ConfigView
from hutong.apps.emoji.contract.responses import failures
from hutong.apps.emoji.deps import App
from hutong.apps.emoji.envelope import Envelope
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/v1", tags=["config"], route_class=StrictRoute)
TAGGED: dict[str, Any] = {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}
IfNoneMatch = Annotated[
    str, Header(alias="If-None-Match", description="The ETag of the configuration that the client has.")
]


@router.get(
    "/config",
    response_model=Envelope[ConfigView],
    responses={
        200: TAGGED,
        304: {"description": "It is still the one named in If-None-Match.", **TAGGED},
        **failures(),
    },
    summary="All client configuration at once",
)
async def read_config(emoji: App, if_none_match: IfNoneMatch = "") -> Response:
    """Banners, templates by category, and prices. Send `If-None-Match` to get 304 while nothing changed."""
    body, etag = emoji.catalogue.config()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    if etag in given or "*" in given:
        return Response(status_code=304, headers=headers)
    return Response(b'{"code":0,"message":"success","data":' + body + b"}", 200, headers, JSON)
