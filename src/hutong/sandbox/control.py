"""The endpoints under `/control` of a sandbox: pressing the buttons, and reading the state as JSON."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hutong.sandbox.buttons import Button, Scene
from hutong.sandbox.presses import Denied, check_origin, fields_of, wants_json
from hutong.sandbox.state import State

View = Callable[[sqlite3.Connection], Mapping[str, Any]]


class Control:
    """`POST /control/<button>` and `GET /control/state`.

    Args:
        state: of the sandbox.
        buttons: by the last part of their path.
        view: the state as JSON-ready facts, inside a transaction.
        impossible: what to say when a button finds nothing that it could act on.
    """

    def __init__(self, state: State, buttons: Mapping[str, type[Button]], view: View, impossible: str) -> None:
        self._state, self._buttons, self._view, self._impossible = state, buttons, view, impossible

    async def press(self, request: Request) -> Response:
        """303 back to the page, or the state for whoever accepts JSON."""
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
        """Armed mishaps and totals."""
        return JSONResponse(dict(await self._state.read(self._view)))

    async def _carry_out(self, action: str, fields: Mapping[str, Any]) -> None:
        if action not in self._buttons:
            raise Denied(404, "NotFound", f"There is no button {action!r}; there are: {', '.join(self._buttons)}.")
        try:
            button = self._buttons[action].model_validate(fields)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise Denied(400, "InvalidParameter", f"{name}: {first['msg']}") from None
        if not await self._state.write(lambda conn: button.press(Scene(conn, self._state.now_ms()))):
            raise Denied(409, "NotPossible", self._impossible)
