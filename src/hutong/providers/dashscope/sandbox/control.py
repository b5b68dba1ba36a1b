"""Pressing the buttons, from the page (forms) or a script (JSON), and reading the sandbox's state as JSON."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hutong.kit.clock import iso_z
from hutong.providers.dashscope.sandbox import admission, faults, queue
from hutong.providers.dashscope.sandbox.buttons import BUTTONS, Scene
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.providers.dashscope.sandbox.runner import Runner, remove_videos
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.providers.dashscope.sandbox.state import State

MAX_FORM = 16 * 1024
MAX_LISTED = 1000


class Denied(Exception):
    """A press that is not carried out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Control:
    """The endpoints under `/control`."""

    def __init__(self, settings: SandboxSettings, state: State, runner: Runner) -> None:
        self._settings = settings
        self._state = state
        self._runner = runner

    async def press(self, request: Request) -> Response:
        """POST /control/{action}: 303 back to the page, or JSON for whoever accepts JSON."""
        action = request.path_params["action"]
        try:
            _check_origin(request)
            fields = await _fields(request)
            lang = str(fields.pop("lang", ""))
            await self._carry_out(action, fields)
        except Denied as denied:
            return JSONResponse({"code": denied.code, "message": denied.message}, denied.status)
        self._runner.ring()
        if _wants_json(request):
            return JSONResponse({"action": action, **await self._state.read(self._view)})
        query = {"done": action, **({"lang": lang} if lang else {})}
        return RedirectResponse(f"../?{urlencode(query)}", 303)

    async def tasks(self, request: Request) -> Response:
        """GET /control/tasks?limit=: every recorded task, newest first, and how often each was ordered."""
        text = request.query_params.get("limit", "100")
        limit = min(int(text), MAX_LISTED) if text.isascii() and text.isdigit() and len(text) < 9 else 100
        rows = await self._state.read(queue.latest, limit)
        repeats = await self._state.read(queue.repeats)
        return JSONResponse({"tasks": [_task(row) for row in rows], "counts": repeats})

    async def state(self, _: Request) -> Response:
        """GET /control/state: limits, armed faults, totals."""
        return JSONResponse(await self._state.read(self._view))

    async def _carry_out(self, action: str, fields: Mapping[str, Any]) -> None:
        now_ms = self._state.now_ms()
        if action == "clear":
            dropped = await self._state.write(queue.clear, now_ms)
            await asyncio.to_thread(remove_videos, self._settings.videos, dropped)
            return
        if action not in BUTTONS:
            raise Denied(404, "NotFound", f"There is no button {action!r}; there are: clear, {', '.join(BUTTONS)}.")
        try:
            button = BUTTONS[action].model_validate(fields)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise Denied(400, "InvalidParameter", f"{name}: {first['msg']}") from None
        if not await self._state.write(lambda connection: button.press(Scene(connection, now_ms))):
            raise Denied(409, "NotPossible", "The task does not exist, or its present status does not allow this.")

    def _view(self, connection: sqlite3.Connection) -> dict[str, Any]:
        now_ms = self._state.now_ms()
        statuses, served = queue.counts(connection), admission.totals(connection)
        return {
            "limits": admission.limits(connection, self._settings.limits()).model_dump(),
            "faults": [asdict(fault) for fault in faults.armed(connection, now_ms)],
            "totals": {
                "creates": served["accepted"],
                "detects": served["detect"],
                "queries": served["query"],
                "running": statuses.get("RUNNING", 0),
                "pending": statuses.get("PENDING", 0),
            },
        }


def _task(task: Task) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "status": task.status,
        "created": _moment(task.submit_ms),
        "scheduled": _moment(task.scheduled_ms),
        "ended": _moment(task.end_ms),
        "driven_id": task.driven_id,
        "image_path": task.image_path,
        "repeat": task.repeat,
        "code": task.code,
        "message": task.message,
        "seconds": task.seconds,
        "attempts": task.attempts,
        "hanging": task.hang,
        "link_dead": task.link_dead,
        "forgotten": task.forgotten,
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else iso_z(datetime.fromtimestamp(ms / 1000, UTC))


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _check_origin(request: Request) -> None:
    """Another site's page must not press buttons in this browser; scripts send neither header."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or site not in {"none", "same-origin"}:
        raise Denied(403, "ForeignOrigin", "Buttons can be pressed on the sandbox's own page and from scripts only.")


async def _fields(request: Request) -> dict[str, Any]:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_FORM:
            raise Denied(413, "TooLarge", "The form is too large.")
    try:
        if "application/json" in request.headers.get("content-type", ""):
            body = orjson.loads(received or b"{}")
        else:
            body = dict(parse_qsl(received.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise Denied(400, "InvalidParameter", "The body is neither a form nor JSON.") from None
    if not isinstance(body, dict):
        raise Denied(400, "InvalidParameter", "The body must be an object.")
    return body
