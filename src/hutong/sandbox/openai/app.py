"""The sandbox as an ASGI app: Chat Completions and models under `/v1`, and the page with its buttons.

Source: OpenAI's API reference for chat completions, models and errors; reference/chat.md §2.1.
"""

import asyncio
import contextlib
import hashlib
import hmac
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from hutong.kit.clock import Clock, SystemClock
from hutong.sandbox import faults
from hutong.sandbox.control import Control
from hutong.sandbox.openai import calls, limits, mishaps, schema, script
from hutong.sandbox.openai.answering import Answer, answered, prompt_of
from hutong.sandbox.openai.asking import Asked, asked_in
from hutong.sandbox.openai.buttons import BUTTONS
from hutong.sandbox.openai.catalogue import MODELS, listed
from hutong.sandbox.openai.chunks import Wire
from hutong.sandbox.openai.mishaps import Orders, Way
from hutong.sandbox.openai.page import Page
from hutong.sandbox.openai.playing import Playing
from hutong.sandbox.openai.receiving import content, json_object, opening
from hutong.sandbox.openai.refusals import Refusal, no_key, no_model, too_fast, wrong_key
from hutong.sandbox.openai.settings import OpenAISandboxSettings
from hutong.sandbox.state import State

LISTED = 100
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Call:
    """One call of Chat Completions: its number, how its answer is wanted, what it says, what will go wrong with it."""

    seq: int
    way: Way
    body: dict[str, Any]
    orders: Orders
    begun: float

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"%d " % self.seq + orjson.dumps(self.body)).hexdigest()

    @property
    def request_id(self) -> str:
        return f"req_{self.digest[:32]}"


class Sandbox:
    """One process's part in the stand-in."""

    def __init__(self, settings: OpenAISandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.state = State(settings.database, clock, schema.TABLES, schema.VERSION)
        self.control = Control(self.state, BUTTONS, self._view, "There is nothing to act on.")
        self.page = Page(settings, self.state)
        self._closing = False

    async def start(self) -> None:
        """Forget the calls that a killed process was answering."""
        await self.state.write(calls.forget_running)

    async def close(self) -> None:
        """Close the file."""
        self._closing = True
        await self.state.close()

    async def models(self, request: Request) -> Response:
        """GET /v1/models."""
        try:
            self._check_key(request)
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return JSONResponse({"object": "list", "data": [listed(name) for name in MODELS]})

    async def model(self, request: Request) -> Response:
        """GET /v1/models/{name}."""
        name = request.path_params["name"]
        try:
            self._check_key(request)
            if name not in MODELS:
                raise no_model(name)
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return JSONResponse(listed(name))

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions: key, request, ordered mishaps, model, window, limits, answer."""
        begun = self.state.clock.monotonic()
        try:
            self._check_key(request)
            body = json_object(await content(request))
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status, dict(refusal.headers))
        call = await self._open(body, begun)
        try:
            return await self._answer(call)
        except Refusal as refusal:
            return await self._refuse(call, refusal)

    async def _open(self, body: dict[str, Any], begun: float) -> Call:
        way: Way = "stream" if body.get("stream") is True else "whole"

        def work(conn: sqlite3.Connection) -> Call:
            now_ms = self.state.now_ms()
            seq = calls.begin(conn, opening(body, way), now_ms)
            return Call(seq, way, body, mishaps.orders(conn, way, now_ms), begun)

        return await self.state.write(work)

    async def _answer(self, call: Call) -> Response:
        """The answer.

        Raises:
            Refusal: there is none.
        """
        if call.orders.refusal is not None:
            raise call.orders.refusal
        asked = asked_in(call.body)
        prompt = await prompt_of(asked, call.body)
        spent = await self.state.write(self._spend, asked, prompt)
        if (over := max(spent, key=lambda level: level.wait)).wait > 0:
            raise too_fast(over.of, over.limit, over.wait)
        answer = await answered(asked, prompt)
        wire = Wire(asked, f"chatcmpl-{call.digest[32:61]}", self.state.now_ms() // 1000)
        played = self._script(call, wire, answer)
        headers = {**self._headers(call), **spent[0].headers, **spent[1].headers, "content-type": _kind(call.way)}

        async def ended(word: str, sent: int) -> None:
            status = 200 if played.steps else None
            await self._close_call(call, status, word, (prompt, sent))

        return Playing(played, headers, ended)

    def _spend(self, conn: sqlite3.Connection, asked: Asked, prompt: int) -> tuple[limits.Level, limits.Level]:
        chosen = limits.limits(conn, self.settings)
        return limits.spend(conn, chosen, asked.model, prompt + (asked.most or 0), self.state.now_ms())

    def _script(self, call: Call, wire: Wire, answer: Answer) -> script.Script:
        orders, usual = call.orders, self.settings
        first = usual.first_token_seconds + orders.first
        if call.way == "whole":
            body = wire.body(answer, usage=not orders.no_usage)
            return script.whole(body, answer.completion, orders.broken, first)
        events = list(wire.events(answer, usage=not orders.no_usage))
        return script.streamed(events, orders.broken, first, usual.between_tokens_seconds + orders.between)

    async def _refuse(self, call: Call, refusal: Refusal) -> Response:
        if call.orders.first:
            await asyncio.sleep(call.orders.first)
        await self._close_call(call, refusal.status, refusal.code or refusal.kind, (0, 0))
        headers = {**self._headers(call), **refusal.headers}
        if not refusal.message:
            return HTMLResponse(BAD_GATEWAY, refusal.status, headers)
        return JSONResponse(refusal.body, refusal.status, headers)

    async def _close_call(self, call: Call, status: int | None, word: str, tokens: tuple[int, int]) -> None:
        if self._closing:
            return
        outcome = calls.Outcome(status, word, *tokens, took_ms=self._took_ms(call))
        await self.state.write(calls.end, call.seq, call.request_id, outcome)

    def _took_ms(self, call: Call) -> int:
        return round((self.state.clock.monotonic() - call.begun) * 1000)

    def _headers(self, call: Call) -> dict[str, str]:
        pause = self.settings.first_token_seconds + call.orders.first
        return {
            "x-request-id": call.request_id,
            "openai-processing-ms": str(self._took_ms(call) + round(pause * 1000)),
            "openai-version": "2020-10-01",
            "openai-organization": "hutong-sandbox",
            "cache-control": "no-cache",
        }

    def _check_key(self, request: Request) -> None:
        """The key must be one of ours.

        Raises:
            Refusal: 401.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise no_key()
        given = key.strip().encode()
        if not any(hmac.compare_digest(given, good.encode()) for good in self.settings.api_keys):
            raise wrong_key(key.strip())

    def _view(self, conn: sqlite3.Connection) -> dict[str, Any]:
        return {
            "faults": [asdict(fault) for fault in faults.armed(conn, self.state.now_ms())],
            "limits": limits.limits(conn, self.settings).model_dump(),
            "totals": calls.totals(conn),
            "running": calls.running(conn),
            "calls": calls.latest(conn, LISTED),
        }


def _kind(way: Way) -> str:
    return "text/event-stream; charset=utf-8" if way == "stream" else "application/json"


def create_sandbox(settings: OpenAISandboxSettings, clock: Clock | None = None) -> Starlette:
    """The app; `app.state.sandbox` is the `Sandbox`, whose `start` and `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls them.
    """
    sandbox = Sandbox(settings, clock or SystemClock())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    routes = [
        Route("/v1/chat/completions", sandbox.chat, methods=["POST"]),
        Route("/v1/models", sandbox.models),
        Route("/v1/models/{name:path}", sandbox.model),
        Route("/", sandbox.page.show),
        Route("/control/state", sandbox.control.state),
        Route("/control/{action}", sandbox.control.press, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _no_such_path, 405: _no_such_path})
    app.state.sandbox = sandbox
    return app


async def _no_such_path(request: Request, _: Exception) -> Response:
    refusal = Refusal(404, f"Unknown request URL: {request.method} {request.url.path}.", code="unknown_url")
    return JSONResponse(refusal.body, refusal.status)
