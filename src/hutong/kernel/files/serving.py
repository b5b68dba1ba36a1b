"""The HTTP face of the disk storage: signed downloads and direct uploads. The host mounts it at `/files`.

What clients sent is served under a fixed type, sandboxed, and shown in the browser only if it is a picture or a video
of a kind that cannot hold scripts. Sources: RFC 9110 (ranges, conditional requests); reliability.md attack F1.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from hutong.kernel.files.disk import DiskObject, DiskStorage
from hutong.kernel.files.errors import LinkExpired, LinkInvalid, RangeUnsatisfiable
from hutong.kernel.files.links import SignedLink, attachment
from hutong.kernel.files.ports import ObjectFacts
from hutong.kernel.files.receiving import receive_upload
from hutong.kernel.http.methods import allowed_methods
from hutong.kit.errors import HutongError

INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "video/mp4"})
MAX_AGE = 3600
LINGER_BYTES = 4 * 1024 * 1024
LINGER_SECONDS = 5.0
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

# A signed link is a capability: who holds it may read it from any page, so every origin is allowed.
_ALWAYS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
_UNCACHED = {**_ALWAYS, "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of an object an answer holds, and whether the client asked for a part."""

    start: int
    end: int
    partial: bool


def files_app(storage: DiskStorage) -> Starlette:
    """`GET|HEAD /<key>?e=…&s=…` and `POST /upload`; errors as `{"error": code, "message": …, "details": …}`."""
    app = Starlette(
        routes=[
            Route("/upload", Upload(storage), methods=["POST"]),
            Route("/{key:path}", Download(storage), methods=["GET"]),
        ],
        exception_handlers={HutongError: _refuse, HTTPException: _refuse_request},
    )
    app.router.redirect_slashes = False  # a redirect would lead to whatever the Host header says
    return app


class Download:
    """Streams one object to whoever holds a link to it."""

    def __init__(self, storage: DiskStorage) -> None:
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        link = self._verified(request)
        async with self._storage.reading(link.key) as found:
            headers = self._headers(found.facts, link)
            if _matches(request.headers.get("if-none-match"), headers["ETag"]):
                answer = Response(status_code=304, headers=headers)
            else:
                answer = _content(request, found, headers)
            with suppress(ClientDisconnect):
                await answer(scope, receive, send)

    def _verified(self, request: Request) -> SignedLink:
        link = self._storage.signer.verify(request.path_params["key"], request.url.query)
        if link is None:
            raise LinkInvalid
        if link.expires <= self._storage.seconds():
            raise LinkExpired
        return link

    def _headers(self, facts: ObjectFacts, link: SignedLink) -> dict[str, str]:
        left = max(0, min(MAX_AGE, int(link.expires - self._storage.seconds())))
        return {
            **_ALWAYS,
            "Content-Type": facts.content_type,
            "Content-Disposition": disposition(facts.content_type, link.filename),
            "Cache-Control": f"private, max-age={left}",
            "ETag": f'"{facts.etag}"',
            "Accept-Ranges": "bytes",
        }


class Upload:
    """Takes the form of `Storage.upload_form`. The same form may come again until it expires, and replaces the object.

    That is how OSS and S3 do it too, and a mobile client that lost the answer has to be able to try again.
    """

    def __init__(self, storage: DiskStorage) -> None:
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(receive, send)
        try:
            await receive_upload(Request(scope, exchange.receive), self._storage)
        except ClientDisconnect:
            return
        except HutongError as error:
            answer = error_answer(error)
            answer.headers["Connection"] = "close"
            await answer(scope, exchange.receive, exchange.send_and_linger)
        else:
            await Response(status_code=204, headers=_UNCACHED)(scope, receive, send)


class _Exchange:
    """Sends a refusal at once, then reads a little on before the connection closes.

    A socket closed with unread bytes is reset, and the client would see that instead of the reason.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = bool(message.get("more_body", False))
        return message

    async def send_and_linger(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        left = LINGER_BYTES
        while self._more and left > 0:
            left -= len((await self.receive()).get("body", b""))


def disposition(content_type: str, filename: str | None) -> str:
    """The Content-Disposition of an object: shown only if it is harmless and no download was asked for (RFC 6266)."""
    if filename is None:
        return "inline" if content_type in INLINE else "attachment"
    return attachment(filename)


def error_answer(error: HutongError) -> JSONResponse:
    """The JSON body of a refusal."""
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details is not None:
        body["details"] = error.details
    headers = dict(_UNCACHED)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, RangeUnsatisfiable) and error.details is not None:
        headers["Content-Range"] = f"bytes */{error.details['size']}"
    return JSONResponse(body, error.status, headers)


def requested_span(headers: Headers, facts: ObjectFacts) -> Span:
    """What a request's `Range` asks for; the whole object when there is none, or several, or it is no byte range.

    Raises:
        RangeUnsatisfiable: it begins behind the end.
    """
    whole = Span(0, facts.size, partial=False)
    asked = _RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    condition = headers.get("if-range")
    if asked is None or (condition is not None and condition != f'"{facts.etag}"'):
        return whole
    first, last = asked.groups()
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    start = int(first) if first else max(0, facts.size - int(last))
    end = min(int(last) + 1, facts.size) if first and last else facts.size
    if start >= end:
        raise RangeUnsatisfiable(details={"size": facts.size})
    return Span(start, end, partial=True)


def _content(request: Request, found: DiskObject, headers: dict[str, str]) -> Response:
    # RFC 9110 defines ranges for GET only.
    asked = request.headers if request.method == "GET" else Headers({})
    span = requested_span(asked, found.facts)
    headers["Content-Length"] = str(span.end - span.start)
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{found.facts.size}"
    status = 206 if span.partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(found.chunks(span.start, span.end), status, headers)


def _matches(condition: str | None, etag: str) -> bool:
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return tags == ["*"] or etag in tags


def _refuse(_: Request, error: Exception) -> Response:
    return error_answer(cast(HutongError, error))


def _refuse_request(request: Request, error: Exception) -> Response:
    wrong = cast(HTTPException, error)
    body = {"error": "files.request", "message": wrong.detail}
    allow = {"Allow": allowed_methods(request.app.routes, request.scope)} if wrong.status_code == 405 else {}
    return JSONResponse(body, wrong.status_code, {**_UNCACHED, **allow})
