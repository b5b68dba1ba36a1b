"""The sandbox as an ASGI app: the bucket, by path and by host name, and the page with its buttons.

A bucket is reached as `/<bucket>/<key>` (as on an endpoint that is an address) and as `<bucket>.<host>/<key>`. Source:
Aliyun OSS API reference.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kit.clock import Clock, SystemClock, epoch_ms
from hutong.providers.oss.sandbox import admission, schema
from hutong.providers.oss.sandbox.admission import Orders
from hutong.providers.oss.sandbox.answers import OssRefusal, refused, request_id
from hutong.providers.oss.sandbox.control import Control
from hutong.providers.oss.sandbox.objects import Call, Objects
from hutong.providers.oss.sandbox.page import Page
from hutong.providers.oss.sandbox.posts import Posts
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.providers.oss.sandbox.signatures import Verifier, Wire
from hutong.sandbox.hangup import Hangup
from hutong.sandbox.state import State

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
# Subresources that OSS knows and the sandbox does not: they must not pass for plain calls on the object.
UNKNOWN = frozenset(
    {
        *("acl", "append", "cors", "delete", "encryption", "lifecycle", "location", "logging", "partNumber", "policy"),
        *(
            "restore",
            "stat",
            "symlink",
            "tagging",
            "uploadId",
            "uploads",
            "versioning",
            "versions",
            "website",
            "x-oss-process",
        ),
        *("bucketInfo", "objectWorm", "retention", "legalHold", "versionId", "inventory", "replication", "referer"),
    }
)
DRAINED = 8 * 1024 * 1024
DRAIN_SECONDS = 5.0
# What a browser on any page may do, as the CORS rule on the vendor's page does for a real bucket.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "ETag, x-oss-request-id, x-oss-hash-crc64ecma",
}


class Sandbox:
    """One process's part in the stand-in."""

    def __init__(self, settings: OssSandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.state = State(settings.database, clock, schema.TABLES, schema.VERSION)
        self._verifier = Verifier(settings)
        self._objects = Objects(settings, self.state)
        self._posts = Posts(settings, self._objects, self._verifier)
        self.control = Control(settings, self.state)
        self.page = Page(settings, self.state)

    async def close(self) -> None:
        """Close the file."""
        await self.state.close()

    async def serve(self, request: Request) -> Response:
        """Whatever is asked: of the bucket, or of the page."""
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        label, _, rest = request.headers.get("host", "").partition(".")
        virtual = label == self.settings.bucket and bool(rest)
        if not virtual and (own := self._own(request, path)) is not None:
            return await own(request)
        name, _, key = ("", "", path[1:]) if virtual else path[1:].partition("/")
        return await self._answer(request, _wire(request, self.settings.bucket if virtual else name, key))

    def _own(self, request: Request, path: str) -> Callable[[Request], Awaitable[Response]] | None:
        if path == "/" and request.method == "GET" and "authorization" not in request.headers:
            return self.page.show
        if path == "/control/state" and request.method == "GET":
            return self.control.state
        return self.control.press if path.startswith("/control/") and request.method == "POST" else None

    async def _answer(self, request: Request, wire: Wire) -> Response:
        """One call from its mishaps to its record."""
        now, number = self.state.clock.now(), request_id()
        call = _call(wire)
        key, code = wire.key, ""
        ordered = await self.state.write(admission.orders, call, epoch_ms(now))
        if ordered.wait:
            await asyncio.sleep(ordered.wait)
        try:
            _refuse(ordered)
            answer, key = await self._carry_out(request, wire, call, now)
        except OssRefusal as refusal:
            await _drain(request)
            answer, code = self._refused(refusal, request, number), refusal.code
        await self.state.write(admission.record, call, key, answer.status_code, code, epoch_ms(now))
        if ordered.lose:
            return Hangup()
        answer.headers.update({"x-oss-request-id": number, "x-oss-server-time": "1", "Server": "AliyunOSS", **CORS})
        answer.headers.update({"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"})
        return answer

    def _refused(self, refusal: OssRefusal, request: Request, number: str) -> Response:
        return refused(refusal, request.headers.get("host", ""), number, head=request.method == "HEAD")

    async def _carry_out(self, request: Request, wire: Wire, call: Call, now: datetime) -> tuple[Response, str]:
        if wire.bucket != self.settings.bucket:
            raise OssRefusal("NoSuchBucket", facts={"BucketName": wire.bucket})
        if wire.method == "OPTIONS":
            return Response(), wire.key
        given = {name for name, _ in wire.parameters()}
        if call == "post" and not wire.key and not given & UNKNOWN:
            return await self._posts.post(request, now)
        self._verifier.check(wire, now)
        if given & UNKNOWN:
            raise OssRefusal("NotImplemented")
        return await self._on_object(request, wire), wire.key

    async def _on_object(self, request: Request, wire: Wire) -> Response:
        if not wire.key:
            if wire.method == "GET":
                return await self._objects.listing(wire)
            raise OssRefusal("NotImplemented" if wire.method in {"PUT", "DELETE"} else "MethodNotAllowed")
        if wire.method == "GET":
            return await self._objects.get(wire, linked=wire.header("authorization") is None)
        if wire.method == "HEAD":
            return await self._objects.head(wire)
        if wire.method == "PUT" and wire.header("x-oss-copy-source") is None:
            return await self._objects.put(request, wire)
        if wire.method == "DELETE":
            return await self._objects.remove(wire)
        raise OssRefusal("NotImplemented" if wire.method in {"PUT", "POST"} else "MethodNotAllowed")


def create_sandbox(settings: OssSandboxSettings, clock: Clock | None = None) -> Starlette:
    """The app; `app.state.sandbox` is the `Sandbox`, whose `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls it.
    """
    sandbox = Sandbox(settings, clock or SystemClock())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await sandbox.close()

    app = Starlette(routes=[Route("/{path:path}", sandbox.serve, methods=METHODS)], lifespan=lifespan)
    app.state.sandbox = sandbox
    return app


def _wire(request: Request, name: str, key: str) -> Wire:
    headers = [(raw.decode("latin-1").lower(), value.decode("latin-1")) for raw, value in request.headers.raw]
    return Wire(request.method, name, key, request.url.query, headers)


def _call(wire: Wire) -> Call:
    if wire.method == "GET":
        return "get" if wire.key else "list"
    words: dict[str, Call] = {"PUT": "put", "HEAD": "head", "DELETE": "remove", "POST": "post"}
    return words.get(wire.method, "head")


def _refuse(ordered: Orders) -> None:
    if ordered.code is not None:
        raise OssRefusal(ordered.code)


async def _drain(request: Request) -> None:
    """Read a little on: a client that is still sending would see a reset connection instead of the refusal."""
    left = DRAINED
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left <= 0:
                    return
