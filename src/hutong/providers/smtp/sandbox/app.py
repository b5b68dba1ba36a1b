"""The sandbox as an ASGI app for its page, and the mail server beside it."""

import contextlib
import sqlite3
import ssl
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hutong.kit.clock import Clock, SystemClock
from hutong.providers.smtp.sandbox import inbox, schema
from hutong.providers.smtp.sandbox.buttons import BUTTONS
from hutong.providers.smtp.sandbox.page import Pages
from hutong.providers.smtp.sandbox.reading import read
from hutong.providers.smtp.sandbox.server import MailServer
from hutong.providers.smtp.sandbox.settings import MailSandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.control import Control
from hutong.sandbox.state import State

LISTED = 50


class Sandbox:
    """One process's part in the stand-in."""

    def __init__(self, settings: MailSandboxSettings, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self.settings = settings
        self.state = State(settings.database, clock, schema.TABLES, schema.VERSION)
        self.server = MailServer(settings, self.state, tls)
        self.control = Control(self.state, BUTTONS, self._view, "There is nothing to act on.")
        self.pages = Pages(settings, self.state, lambda: self.server.port)

    async def start(self) -> None:
        """Let the mail server listen.

        Raises:
            OSError: its port is taken.
        """
        await self.server.start()

    async def close(self) -> None:
        """Stop the mail server and close the file."""
        await self.server.close()
        await self.state.close()

    async def messages(self, request: Request) -> Response:
        """GET /messages.json?to=: the newest mails first, to one address or to all, with the codes in them."""
        found = await self.state.read(inbox.latest, LISTED, request.query_params.get("to"))
        return JSONResponse({"messages": [_told(mail) for mail in found]}, headers={"Cache-Control": "no-store"})

    def _view(self, conn: sqlite3.Connection) -> dict[str, Any]:
        return {
            "faults": [asdict(fault) for fault in faults.armed(conn, self.state.now_ms())],
            "totals": inbox.totals(conn),
            "mails": inbox.count(conn),
            "port": self.server.port,
        }


def _told(mail: inbox.Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "at_ms": mail.at_ms,
        "from": mail.sender,
        "to": mail.recipient,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "copy": mail.nth,
        "code": mail.code,
        "text": read(mail.source).text,
    }


def create_sandbox(
    settings: MailSandboxSettings, clock: Clock | None = None, tls: ssl.SSLContext | None = None
) -> Starlette:
    """The app; `app.state.sandbox` is the `Sandbox`, whose `start` and `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls them.
    """
    sandbox = Sandbox(settings, clock or SystemClock(), tls)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    routes = [
        Route("/", sandbox.pages.show),
        Route("/messages.json", sandbox.messages),
        Route("/messages/{number:int}", sandbox.pages.mail),
        Route("/messages/{number:int}/html", sandbox.pages.html),
        Route("/messages/{number:int}/source", sandbox.pages.source),
        Route("/control/state", sandbox.control.state),
        Route("/control/{action}", sandbox.control.press, methods=["POST"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.sandbox = sandbox
    return app
