"""The page and its files. They are the same for everybody, so nobody has to sign in for them."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from hutong.apps.chat.page.assets import Asset, page_assets

router = APIRouter(include_in_schema=False)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere and no script in the document. The last two make a browser refuse every assignment of markup, so
that a mistake in the renderer cannot become a script. Source: CSP Level 3; W3C Trusted Types §4.2."""
CHECKED = "no-cache"
"""Kept, and asked for each time whether it still holds: the modules name each other without versions."""


@router.get("/", name="page")
async def page(request: Request) -> Response:
    """The page. Its links are relative, so that it works under `/chat/`, at a host name of its own, and behind a proxy."""
    return _answer(request, page_assets()["index.html"], {"Content-Security-Policy": POLICY})


@router.get("/page/{path:path}", name="page_asset")
async def asset(request: Request, path: str) -> Response:
    """A style sheet, a module or a picture of the page."""
    found = page_assets().get(path)
    if found is None:
        return Response(b"Not found", 404, media_type="text/plain")
    return _answer(request, found, {})


def _answer(request: Request, asset: Asset, headers: dict[str, str]) -> Response:
    headers = {**headers, "Cache-Control": CHECKED, "ETag": asset.tag, "Vary": "Accept-Encoding"}
    if asset.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.kind)
    return Response(asset.content, headers=headers, media_type=asset.kind)
