"""One ASGI app around all apps: mounts, host names, the edge, files, sandboxes, and the host's own pages.

`/livez` asks nothing, `/readyz` asks every dependency, `/metrics` is for Prometheus. Apps are reached under `/<app>/…`, by
host name `<app>.<domain>`, or, served alone, at `/`. Source: DESIGN §2.17, §3.
"""

import asyncio
import re
from collections.abc import Sequence

import orjson
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hutong.host.api_page import add_api_page
from hutong.host.front_page import front_page
from hutong.host.sandboxes import Sandboxes
from hutong.host.wiring import Host
from hutong.kernel.assembly import AppSpec
from hutong.kernel.files import DiskStorage, files_app
from hutong.kernel.http.answers import ErrorRenderer
from hutong.kernel.http.cors import Cors
from hutong.kernel.http.limits import Limit
from hutong.kernel.http.middleware import BodyPace, Edge, secured
from hutong.kernel.observability import metrics
from hutong.kit.errors import HutongError

FILES_BODY = 64 * 1024 * 1024
JSON = "application/json"
OWN_PAGES = frozenset({"/livez", "/readyz", "/metrics"})
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")


class HostApp:
    """The whole of one API process.

    Args:
        host: started and stopped by this app's lifespan.
        sandboxes: the vendors' stand-ins; made from the settings when left out, none in production.
    """

    def __init__(self, host: Host, sandboxes: Sandboxes | None = None) -> None:
        self._host = host
        self.failure: Exception | None = None  # why it did not start, for whoever runs it: uvicorn keeps that to itself
        self._sandboxes = sandboxes or (Sandboxes(host.settings) if host.settings.any_sandbox else None)
        self._mounts = self._mount(host.specs)
        self._apps = [self._mounts[host.kernel.mounted_at[spec.name]] for spec in host.specs]
        self._doors = {host.kernel.mounted_at[spec.name] for spec in host.specs if spec.page} - {""}
        self._by_name = {spec.name: self._mounts[host.kernel.mounted_at[spec.name]] for spec in host.specs}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            app, below = self._for_socket(scope)  # in a frame that ends: an idle socket keeps those that wait
            await app(below, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = await self._own_page(scope)
        if own is not None:
            await secured(own)(scope, receive, send)
            return
        app, prefix = self._find(scope)
        if app is None:
            await secured(Response(b"Not found", 404, media_type="text/plain"))(scope, receive, send)
            return
        await app(_under(scope, prefix), receive, send)

    def _for_socket(self, scope: Scope) -> tuple[ASGIApp, Scope]:
        """The app that a WebSocket asks for by path or name, and the scope as it sees it; nothing but apps has any."""
        app, prefix = self._find(scope) if _names_host(scope) else (None, "")
        return (app, _under(scope, prefix)) if app is not None and app in self._apps else (_closed, scope)

    def _find(self, scope: Scope) -> tuple[ASGIApp | None, str]:
        path = scope["path"]
        if self._sandboxes is not None and (bucket := self._sandboxes.bucket_at(path, _host_name(scope))) is not None:
            return bucket, ""
        named = self._by_name.get(_host_name(scope).partition(".")[0])
        if named is not None and not path.startswith(("/files/", "/sandbox/")):
            return named, ""
        best = max((prefix for prefix in self._mounts if _within(path, prefix)), key=len, default=None)
        return (None, "") if best is None else (self._mounts[best], best)

    async def _own_page(self, scope: Scope) -> Response | None:
        """What the host answers by itself: its pages, and requests that name no host or a strange one."""
        if not _names_host(scope):
            return Response(b"Bad request: one valid Host header is needed", 400, media_type="text/plain")
        path = scope["path"]
        if path in self._doors:  # the links of a page are relative to its folder
            return RedirectResponse(f"{path}/", 308)
        front = path == "/" and "" not in self._mounts and _host_name(scope).partition(".")[0] not in self._by_name
        if path not in OWN_PAGES and not front:
            return None
        if scope["method"] not in {"GET", "HEAD"}:
            return Response(b"Method not allowed", 405, {"Allow": "GET, HEAD"}, "text/plain")
        return front_page(scope, self._host) if front else await self._for_operators(path)

    async def _for_operators(self, path: str) -> Response:
        if path == "/livez":
            return Response(b'{"status":"alive"}', media_type=JSON)
        if path == "/readyz":
            return await self._ready()
        return Response(await asyncio.to_thread(metrics.exposition), media_type=metrics.CONTENT_TYPE)

    async def _ready(self) -> Response:
        health = self._host.kernel.health
        found = await health.check()
        ready = found.ready and not health.draining
        parts = {part.name: {"status": part.status, "latency_ms": part.latency_ms} for part in found.components}
        status = "draining" if health.draining else "ready" if ready else "not ready"
        body = orjson.dumps({"status": status, "components": parts})
        return Response(body, 200 if ready else 503, media_type=JSON)

    # -- putting it together -----------------------------------------------------------------------------------------------

    def _mount(self, specs: Sequence[AppSpec]) -> dict[str, ASGIApp]:
        mounts = {self._host.kernel.mounted_at[spec.name]: self._edged(spec) for spec in specs}
        files = self._host.kernel.files
        if isinstance(files, DiskStorage):  # a bucket serves its objects by itself
            mounts["/files"] = self._edge(files_app(files), "files", _plain, FILES_BODY, {})
        if self._sandboxes is not None:
            mounts |= self._sandboxes.mounts
        return mounts

    def _edged(self, spec: AppSpec) -> ASGIApp:
        app = spec.create_app(self._host.kernel)
        if not self._host.settings.production:
            add_api_page(app)
        body = self._host.settings.http.max_body_bytes
        body = min(body, spec.largest_body or body)
        render = spec.renderer(self._host.kernel)
        return self._edge(app, spec.name, render, body, dict(spec.larger_bodies), spec.own_limits)

    def _edge(
        self,
        app: ASGIApp,
        name: str,
        render: ErrorRenderer,
        body: int,
        larger: dict[str, int],
        own_limits: tuple[str, ...] = (),
    ) -> ASGIApp:
        kernel, settings = self._host.kernel, self._host.settings
        return Edge(
            app,
            name=name,
            render=render,
            address=kernel.address,
            limiter=kernel.limiter,
            per_ip=Limit(f"ip.{name}", settings.limits.ip_per_minute),
            own_limits=own_limits,
            max_body=body,
            larger=larger,
            body_pace=BodyPace(settings.http.body_pause_seconds, settings.http.body_bytes_per_second),
            cors=Cors(settings.http.cors_origins),
        )

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception as error:
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        await self._host.start()
        try:
            if self._sandboxes is not None:
                await self._sandboxes.start()
        except BaseException:
            await self._stop()
            raise

    async def _stop(self) -> None:
        if self._sandboxes is not None:
            await self._sandboxes.stop()
        await self._host.stop()


async def _closed(scope: Scope, receive: Receive, send: Send) -> None:
    """No WebSocket opens here."""
    await send({"type": "websocket.close", "code": 1008})


def _names_host(scope: Scope) -> bool:
    """Whether there is exactly one well-formed Host header; HTTP/1.0 may do without (RFC 9112 §3.2)."""
    named: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
    if not named:
        return bool(scope["http_version"] == "1.0")
    return len(named) == 1 and _HOST.fullmatch(named[0]) is not None


def _host_name(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            return str(value.decode("latin-1").partition(":")[0].lower())
    return ""


def _within(path: str, prefix: str) -> bool:
    return not prefix or path == prefix or path.startswith(prefix + "/")


def _under(scope: Scope, prefix: str) -> Scope:
    """The scope as a mounted app sees it: the prefix belongs to `root_path`."""
    return scope if not prefix else {**scope, "root_path": scope.get("root_path", "") + prefix}


def _plain(error: HutongError, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The error body outside any app."""
    body = orjson.dumps({"error": error.code, "message": error.message})
    return error.status, [(b"content-type", JSON.encode())], body
