"""The pages: all mails with the buttons for mishaps, and one mail in each of its forms."""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from hutong.providers.smtp.sandbox import inbox
from hutong.providers.smtp.sandbox.inbox import Mail
from hutong.providers.smtp.sandbox.page_texts import TEXTS
from hutong.providers.smtp.sandbox.reading import read
from hutong.providers.smtp.sandbox.settings import MailSandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.state import State

SHOWN = 40
OFFERS_SHOWN = 25
ENVIRONMENT = page_environment(Path(__file__).parent / "templates")
# A mail is a stranger's document: no scripts, no forms, nothing loaded, in a frame of the page and nowhere else.
STRANGER = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


class Pages:
    """The pages, in English or Simplified Chinese.

    Args:
        settings, state: of the sandbox.
        port: where the mail server listens at present.
    """

    def __init__(self, settings: MailSandboxSettings, state: State, port: Callable[[], int]) -> None:
        self._settings, self._state, self._port = settings, state, port

    async def show(self, request: Request) -> Response:
        """All mails and the buttons, as it is now; `?lang=en|zh` overrules Accept-Language."""
        context = await self._state.read(self._context)
        return _rendered("page.html", request, {**context, "settings": self._settings, "port": self._port()})

    async def mail(self, request: Request) -> Response:
        """One mail: its HTML in a frame without rights, its text, and a link to its source."""
        found = await self._find(request)
        if found is None:
            return _rendered("mail.html", request, {"mail": None}, 404)
        return _rendered("mail.html", request, {"mail": _row(found), "contents": read(found.source)})

    async def html(self, request: Request) -> Response:
        """The HTML form alone, for the frame."""
        found = await self._find(request)
        if found is None:
            return PlainTextResponse("Not found", 404)
        return HTMLResponse(read(found.source).html, headers={"Content-Security-Policy": STRANGER})

    async def source(self, request: Request) -> Response:
        """The mail as it came."""
        found = await self._find(request)
        if found is None:
            return PlainTextResponse("Not found", 404)
        safe = {"Content-Security-Policy": STRANGER, "X-Content-Type-Options": "nosniff"}
        return PlainTextResponse(found.source, headers=safe)

    async def _find(self, request: Request) -> Mail | None:
        return await self._state.read(inbox.find, request.path_params["number"])

    def _context(self, conn: sqlite3.Connection) -> dict[str, Any]:
        return {
            "count": inbox.count(conn),
            "totals": inbox.totals(conn),
            "faults": [asdict(fault) for fault in faults.armed(conn, self._state.now_ms())],
            "mails": [_row(mail) for mail in inbox.latest(conn, SHOWN)],
            "offers": [row | {"at": clock_time(int(str(row["at_ms"])))} for row in inbox.offers(conn, OFFERS_SHOWN)],
        }


def clock_time(ms: int) -> str:
    """Milliseconds since 1970 as month, day and time."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%m-%d %H:%M:%S}"


def _row(mail: Mail) -> dict[str, Any]:
    return {name: getattr(mail, name) for name in Mail.__dataclass_fields__ if name != "source"} | {
        "at": clock_time(mail.at_ms)
    }


def _rendered(template: str, request: Request, context: dict[str, Any], status: int = 200) -> Response:
    chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    nonce = secrets.token_urlsafe(16)
    given = {"t": TEXTS[chosen], "lang": chosen, "done": request.query_params.get("done"), "nonce": nonce}
    html = ENVIRONMENT.get_template(template).render(given | context)
    return HTMLResponse(html, status, page_headers(nonce, chosen, frames=True))
