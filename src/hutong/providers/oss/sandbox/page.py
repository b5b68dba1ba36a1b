"""The page: what this sandbox is, what lies in its bucket, who asked for what, and the buttons for mishaps."""

import secrets
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hutong.kit.clock import epoch_ms
from hutong.providers.oss.sandbox import admission, bucket
from hutong.providers.oss.sandbox.objects import CALLS
from hutong.providers.oss.sandbox.page_texts import TEXTS
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.state import State

SHOWN = 40
REQUESTS_SHOWN = 25
ENVIRONMENT = page_environment(Path(__file__).parent / "templates")


class Page:
    """`GET /`, in English or Simplified Chinese."""

    def __init__(self, settings: OssSandboxSettings, state: State) -> None:
        self._settings = settings
        self._state = state

    async def show(self, request: Request) -> Response:
        """The page as it is now; `?lang=en|zh` overrules Accept-Language."""
        chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        nonce = secrets.token_urlsafe(16)
        html = ENVIRONMENT.get_template("page.html").render(
            **await self._state.read(self._context),
            t=TEXTS[chosen],
            lang=chosen,
            done=request.query_params.get("done"),
            settings=self._settings,
            calls=("any", *CALLS),
            nonce=nonce,
        )
        return HTMLResponse(html, headers=page_headers(nonce, chosen))

    def _context(self, conn: sqlite3.Connection) -> dict[str, Any]:
        objects, size = bucket.size_of(conn)
        now_ms = epoch_ms(self._state.clock.now())
        return {
            "objects": objects,
            "size": size,
            "totals": admission.totals(conn),
            "faults": [asdict(fault) for fault in faults.armed(conn, now_ms)],
            "stored": [asdict(each) | {"at": _clock_time(each.modified_ms)} for each in bucket.latest(conn, SHOWN)],
            "requests": [
                row | {"at": _clock_time(int(str(row["at_ms"])))} for row in admission.latest(conn, REQUESTS_SHOWN)
            ],
        }


def _clock_time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%m-%d %H:%M:%S}"
