"""Pressing the buttons, from the page (forms) or a script (JSON), and reading the sandbox's state as JSON."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hutong.kit.clock import iso_z
from hutong.providers.dashscope.sandbox import admission, queue
from hutong.providers.dashscope.sandbox.buttons import BUTTONS, Scene
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.providers.dashscope.sandbox.runner import Runner, remove_videos
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.presses import Denied, check_origin, fields_of, wants_json
from hutong.sandbox.state import State

MAX_LISTED = 1000


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
            check_origin(request)
            fields = await fields_of(request)
            lang = str(fields.pop("lang", ""))
            await self._carry_out(action, fields)
        except Denied as denied:
            return JSONResponse({"code": denied.code, "message": denied.message}, denied.status)
        self._runner.ring()
        if wants_json(request):
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
