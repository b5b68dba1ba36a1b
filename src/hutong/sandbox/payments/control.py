"""Pressing the buttons, from the page (forms) or a script (JSON), and reading the sandbox's state as JSON."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hutong.sandbox import faults
from hutong.sandbox.payments import book, calls, notices
from hutong.sandbox.payments.buttons import BUTTONS, Button, Scene
from hutong.sandbox.payments.desk import Desk
from hutong.sandbox.payments.sender import NoticeSender
from hutong.sandbox.payments.vendor import Vendor
from hutong.sandbox.presses import Denied, check_origin, fields_of, wants_json
from hutong.sandbox.state import State

STATED = 100


class Control:
    """The endpoints under `/control`."""

    def __init__(self, state: State, vendor: Vendor, desk: Desk, sender: NoticeSender) -> None:
        self._state = state
        self._vendor = vendor
        self._desk = desk
        self._sender = sender

    async def press(self, request: Request) -> Response:
        """POST /control/{action}: 303 back to the page, or JSON for whoever accepts JSON."""
        action = str(request.path_params["action"])
        try:
            check_origin(request)
            fields = await fields_of(request)
            lang = str(fields.pop("lang", ""))
            button = self._button(action, fields)
            await self._state.write(self._carry_out, button)
        except Denied as denied:
            return JSONResponse({"code": denied.code, "message": denied.message}, denied.status)
        self._sender.ring()
        if wants_json(request):
            order_no = fields.get("order_no")
            return JSONResponse({"action": action, **await self._state.write(self._view, order_no)})
        query = {"done": action, **({"lang": lang} if lang else {})}
        return RedirectResponse(f"../?{urlencode(query)}", 303)

    async def state(self, request: Request) -> Response:
        """GET /control/state: armed mishaps, totals, the newest trades and notices; `?order_no=` for one trade."""
        return JSONResponse(await self._state.write(self._view, request.query_params.get("order_no")))

    def _button(self, action: str, fields: Mapping[str, Any]) -> Button:
        name, given = ("twist", {**fields, "kind": action}) if action in self._vendor.twists else (action, fields)
        if name not in BUTTONS:
            known = ", ".join((*BUTTONS, *self._vendor.twists))
            raise Denied(404, "NotFound", f"There is no button {action!r}; there are: {known}.")
        try:
            return BUTTONS[name].model_validate(given)
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            raise Denied(400, "InvalidParameter", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def _carry_out(self, conn: sqlite3.Connection, button: Button) -> None:
        try:
            button.press(Scene(conn, self._state.now_ms(), self._vendor, self._desk))
        except book.NoSuchTrade as none:
            raise Denied(404, "NoSuchTrade", str(none.__doc__)) from none
        except book.BookRefused as refused:
            raise Denied(409, type(refused).__name__, str(refused.__doc__)) from refused

    def _view(self, conn: sqlite3.Connection, order_no: str | None) -> dict[str, Any]:
        now_ms = self._state.now_ms()
        trades = book.latest(conn, STATED, now_ms, order_no)
        return {
            "faults": [asdict(fault) for fault in faults.armed(conn, now_ms)],
            "totals": calls.totals(conn),
            "trades": [
                {**asdict(trade), "refunds": [asdict(each) for each in book.refunds_of(conn, trade.order_no)]}
                for trade in trades
            ],
            "notices": [asdict(notice) for notice in notices.latest(conn, STATED, order_no)],
        }
