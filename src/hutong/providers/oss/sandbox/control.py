"""Pressing the buttons, from the page (forms) or a script (JSON), and reading the sandbox's state as JSON."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hutong.kit.clock import epoch_ms
from hutong.providers.oss.sandbox import admission, bucket
from hutong.providers.oss.sandbox.buttons import BUTTONS, Scene
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.presses import Denied, check_origin, fields_of, wants_json
from hutong.sandbox.state import State


class Control:
    """The endpoints under `/control`."""

    def __init__(self, settings: OssSandboxSettings, state: State) -> None:
        self._settings = settings
        self._state = state

    async def press(self, request: Request) -> Response:
        """POST /control/{action}: 303 back to the page, or JSON for whoever accepts JSON."""
        action = request.url.path.rpartition("/")[2]
        try:
            check_origin(request)
            fields = await fields_of(request)
            lang = str(fields.pop("lang", ""))
            await self._carry_out(action, fields)
        except Denied as denied:
            return JSONResponse({"code": denied.code, "message": denied.message}, denied.status)
        if wants_json(request):
            return JSONResponse({"action": action, **await self._state.read(self._view)})
        query = {"done": action, **({"lang": lang} if lang else {})}
        return RedirectResponse(f"../?{urlencode(query)}", 303)

    async def state(self, _: Request) -> Response:
        """GET /control/state: armed mishaps and totals."""
        return JSONResponse(await self._state.read(self._view))

    async def _carry_out(self, action: str, fields: Mapping[str, Any]) -> None:
        if action == "clear":
            files = await self._state.write(bucket.empty)
            await asyncio.to_thread(bucket.erase, self._settings.contents, files)
            return
        if action not in BUTTONS:
            raise Denied(404, "NotFound", f"There is no button {action!r}; there are: clear, {', '.join(BUTTONS)}.")
        try:
            button = BUTTONS[action].model_validate(fields)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise Denied(400, "InvalidParameter", f"{name}: {first['msg']}") from None
        if not await self._state.write(lambda conn: button.press(Scene(conn, self._now()))):
            raise Denied(409, "NotPossible", "There is no such object.")

    def _now(self) -> int:
        return epoch_ms(self._state.clock.now())

    def _view(self, conn: sqlite3.Connection) -> dict[str, Any]:
        objects, size = bucket.size_of(conn)
        return {
            "faults": [asdict(fault) for fault in faults.armed(conn, self._now())],
            "totals": admission.totals(conn),
            "objects": objects,
            "bytes": size,
        }
