"""The page: what was called, and the buttons for mishaps."""

import secrets
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hutong.sandbox import faults
from hutong.sandbox.openai import calls, limits
from hutong.sandbox.openai.catalogue import MODELS
from hutong.sandbox.openai.mishaps import AT_THE_END
from hutong.sandbox.openai.page_texts import TEXTS
from hutong.sandbox.openai.refusals import FAILURES
from hutong.sandbox.openai.settings import OpenAISandboxSettings
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.state import State

SHOWN = 40
TEMPLATE = page_environment(Path(__file__).parent / "templates").get_template("page.html")


class Page:
    """`GET /`, in English or Simplified Chinese."""

    def __init__(self, settings: OpenAISandboxSettings, state: State) -> None:
        self._settings, self._state = settings, state

    async def show(self, request: Request) -> Response:
        """The page as it is now; `?lang=en|zh` overrules Accept-Language."""
        chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        nonce = secrets.token_urlsafe(16)
        html = TEMPLATE.render(
            **await self._state.read(self._context),
            t=TEXTS[chosen],
            lang=chosen,
            done=request.query_params.get("done"),
            settings=self._settings,
            nonce=nonce,
        )
        return HTMLResponse(html, headers=page_headers(nonce, chosen))

    def _context(self, conn: sqlite3.Connection) -> dict[str, Any]:
        return {
            "totals": calls.totals(conn),
            "running": calls.running(conn),
            "limits": limits.limits(conn, self._settings).model_dump(),
            "faults": [_fault(fault) for fault in faults.armed(conn, self._state.now_ms())],
            "calls": [_row(row) for row in calls.latest(conn, SHOWN)],
            "codes": list(FAILURES),
            "models": list(MODELS),
        }


def _fault(fault: faults.Fault) -> dict[str, Any]:
    """With the place of a break taken apart: `after` is a number, `start` or `end`."""
    told = {**asdict(fault), "after": None, "how": fault.code}
    if fault.kind in calls.BROKEN:
        after, _, how = (fault.code or "-").partition(" ")
        told |= {"after": {"-": "start", str(AT_THE_END): "end"}.get(after, after), "how": how}
    return told


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "at": f"{datetime.fromtimestamp(row['at_ms'] / 1000, UTC):%m-%d %H:%M:%S}"}
