"""The edge as pure ASGI middleware: request id, access line, metrics, limits, body cap, CORS, security headers.

One class does the per-request book-keeping, because each further layer costs. Source: DESIGN §2.11; contracts/emoji.md
"Operations" (access line: ip, user, path, status, duration).
"""

import asyncio
import contextlib
import random
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hutong.kernel.http.addresses import ClientAddress
from hutong.kernel.http.answers import ErrorRenderer, unexpected
from hutong.kernel.http.cors import Cors
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kit.errors import HutongError, InvalidInput, TooLarge

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
PRIVATE = (b"cache-control", b"no-store")
QUIET_SECONDS = 0.5
"""A refused body that stands still for so long is not waited for."""
_access = logger("http.access")
_log = logger("http.edge")


class BodyTooLarge(TooLarge):
    """The request's body is too large."""

    code = "http.body_too_large"


class BodyTooSlow(InvalidInput):
    """The request's body did not arrive in time."""

    code = "http.body_too_slow"


@dataclass(frozen=True, slots=True)
class BodyPace:
    """How slowly a body may arrive: who sends a byte now and then would keep a connection for a day.

    Args:
        pause: seconds that it may stand still.
        rate: bytes a second on average, once the first pause is over.
    """

    pause: float = 30.0
    rate: float = 500.0

    def left(self, seen: int, since: float) -> float:
        """Seconds in which more has to come.

        Args:
            seen: bytes so far.
            since: seconds since the first was waited for.
        """
        return min(self.pause, self.pause + seen / self.rate - since)


class Edge:
    """What every request passes first and every answer last.

    Args:
        app: the application inside.
        name: of the app, for metrics and the access line.
        render: turns an error that happens out here into the app's own body.
        address: tells the client's address.
        limiter, per_ip: requests of one address; `own_limits` names path prefixes that are not counted.
        max_body: bytes; `larger` names path suffixes (multipart uploads) with a cap of their own.
        body_pace: how slowly a body may arrive.
        cors: which foreign pages may call; none when left out.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        name: str,
        render: ErrorRenderer,
        address: ClientAddress,
        limiter: Limiter,
        per_ip: Limit,
        own_limits: tuple[str, ...] = (),
        max_body: int,
        larger: dict[str, int] | None = None,
        body_pace: "BodyPace | None" = None,
        cors: Cors | None = None,
    ) -> None:
        self._app, self._name, self._render, self._address = app, name, render, address
        self._limiter, self._per_ip, self._own_limits = limiter, per_ip, own_limits
        self._max_body, self._larger, self._pace = max_body, larger or {}, body_pace or BodyPace()
        self._cors = cors or Cors(())
        self._metered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            app = self._app if await self._admits(scope, send) else _answered  # no frame of its own: sockets are many
            await app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = _request_id(scope)
        address = self._address.of(scope)
        state = scope.setdefault("state", {})
        state["request_id"], state["address"] = request_id, address
        opened = self._cors.headers(scope)
        status = 500
        answered = False

        async def stamped(message: Message) -> None:
            nonlocal status, answered
            if state.get("body_too_large") and not answered:
                return  # the framework took the cut body for a malformed one; the true reason is given below
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                message["headers"] = _stamp((*message.get("headers", ()), *opened), request_id)
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._count(scope, address)
            if opened and scope["method"] == "OPTIONS":
                await self._cors.preflight(stamped)
                return
            limit = self._limit_of(scope)
            _check_length(scope, limit)
            await self._app(scope, _capped(receive, limit, self._pace, state), stamped)
            if state.get("body_too_large") and not answered:
                raise BodyTooLarge(details={"largest_bytes": limit})  # noqa: TRY301 - one place renders errors
        except HutongError as error:
            if isinstance(error, BodyTooLarge):
                await _let_in(scope, receive, self._limit_of(scope), self._pace.pause)
            await self._refuse(error, scope, stamped, answered=answered)
        except Exception:
            _log.exception("request failed", path=scope["path"])
            await self._refuse(unexpected(), scope, stamped, answered=answered)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            self._account(scope, status, time.perf_counter() - start)

    async def _admits(self, scope: Scope, send: Send) -> bool:
        """Whether a WebSocket may open; if its address has asked too often, its handshake is answered."""
        if scope["type"] != "websocket":
            return True

        async def as_handshake(message: Message) -> None:
            await send({**message, "type": f"websocket.{message['type']}"})

        state = scope.setdefault("state", {})
        state["request_id"], state["address"] = _request_id(scope), self._address.of(scope)
        try:
            await self._count(scope, state["address"])
        except HutongError as error:
            await self._refuse(error, scope, as_handshake, answered=False)
            return False
        return True

    async def _count(self, scope: Scope, address: str) -> None:
        """Count the request against its address."""
        if not (self._own_limits and own_path(scope).startswith(self._own_limits)):
            await self._limiter.hit(self._per_ip, address)

    def _limit_of(self, scope: Scope) -> int:
        for suffix, size in self._larger.items():
            if scope["path"].endswith(suffix):
                return size
        return self._max_body

    async def _refuse(self, error: HutongError, scope: Scope, send: Send, *, answered: bool) -> None:
        """Answer with an error, unless the answer has begun: then there is nothing left to say."""
        if answered:
            return
        status, headers, body = self._render(error, scope)
        scope["state"].pop("body_too_large", None)
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _meters(self, method: str, template: str, status: int) -> tuple[Counter, Histogram]:
        """The two metrics of such an answer; looking them up by their labels costs more than counting."""
        found = self._metered.get((method, template, status))
        if found is None:
            found = self._metered[method, template, status] = (
                metrics.http_requests.labels(self._name, method, template, str(status)),
                metrics.http_seconds.labels(self._name, template),
            )
        return found

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        template = getattr(route, "path", None) or "unmatched"
        state = scope["state"]
        requests, spans = self._meters(scope["method"], template, status)
        requests.inc()
        spans.observe(seconds)
        _access.info(
            "request",
            app=self._name,
            ip=state["address"],
            user_id=state.get("user_id"),
            method=scope["method"],
            path=scope["path"],
            status=status,
            duration=round(seconds, 5),
            request_id=state["request_id"],
            **({"tokens_used": state["tokens_used"]} if "tokens_used" in state else {}),
        )


async def _answered(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing is left to say."""


def own_path(scope: Scope) -> str:
    """The path as the app knows it, without what it is mounted under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


_numbers = random.Random(secrets.randbits(256))
"""For names, not for secrets: asking the system for each costs more than all else the edge does with them."""


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if REQUEST_ID.fullmatch(text):
                return text
    return f"{_numbers.getrandbits(128):032x}"


def _stamp(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    stamped = [*headers, (b"x-request-id", request_id.encode())]
    present = {name for name, _ in stamped}
    stamped.extend(header for header in SECURITY_HEADERS if header[0] not in present)
    if b"cache-control" not in present:
        stamped.append(PRIVATE)
    return stamped


def secured(response: Response) -> Response:
    """`response` with the security headers that it lacks, for pages outside any app's edge."""
    for name, value in (*SECURITY_HEADERS, PRIVATE):
        response.headers.setdefault(name.decode(), value.decode())
    return response


def _check_length(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise BodyTooLarge(details={"largest_bytes": limit})


async def _let_in(scope: Scope, receive: Receive, most: int, pause: float) -> None:
    """Take in and drop what still arrives of a refused body: at most `most` bytes, for `pause` seconds, while it flows.

    A server that answers and closes while the client is still sending makes TCP reset the connection, and the client, or
    the proxy before it, often loses the answer to that. Source: RFC 9112 §9.6.
    """
    if any(name == b"expect" for name, _ in scope["headers"]):
        return  # the client waits to be told whether to send at all
    end = time.monotonic() + pause
    with contextlib.suppress(TimeoutError, HutongError):
        while most > 0 and time.monotonic() < end:
            async with asyncio.timeout(QUIET_SECONDS):
                message = await receive()
            most -= len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return


def _capped(receive: Receive, limit: int, pace: BodyPace, state: dict[str, Any]) -> Receive:
    """`receive` that stops a body without a (true) length at the limit, and one that stands still or drips."""
    seen, more, begun = 0, True, 0.0

    async def capped() -> Message:
        nonlocal seen, more, begun
        if not more:
            return await receive()  # waits until the client goes away, however long that takes
        begun = begun or time.monotonic()
        try:
            async with asyncio.timeout(pace.left(seen, time.monotonic() - begun)):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow from None
        more = message["type"] == "http.request" and message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > limit:
            state["body_too_large"] = True
            raise BodyTooLarge(details={"largest_bytes": limit})
        return message

    return capped
