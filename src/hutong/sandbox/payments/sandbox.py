"""A payment vendor's sandbox, but for its wire: state, desk, post office, page and buttons.

A vendor's own app adds `routes` to its wire's, calls `start` and `close`, and lets every call of its wire run through
`answer`:

    sandbox = PaymentSandbox(VENDOR, Writer(keys), settings, clock)

    async def query(request):
        return await sandbox.answer("query", request, lambda: carry_out(request), refused)

where `carry_out` verifies the signature, moves `sandbox.state.write(book.…)` or `sandbox.desk`, and gives an `Answered`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kit.clock import Clock
from hutong.sandbox.hangup import Hangup, Silence
from hutong.sandbox.payments import calls, schema
from hutong.sandbox.payments.control import Control
from hutong.sandbox.payments.desk import Desk
from hutong.sandbox.payments.page import Page
from hutong.sandbox.payments.sender import NoticeSender
from hutong.sandbox.payments.settings import PaymentSandboxSettings
from hutong.sandbox.payments.vendor import NoticeWriter, Vendor
from hutong.sandbox.state import State


@dataclass(frozen=True, slots=True)
class Answered:
    """What a call came to; `code` is the vendor's when it was refused."""

    response: Response
    order_no: str = ""
    code: str = ""


class PaymentSandbox:
    """One process's part in the stand-in.

    Args:
        vendor: its words and habits.
        writer: how its notices look.
        settings: where, and how fast.
        clock: the vendor's time.
    """

    def __init__(self, vendor: Vendor, writer: NoticeWriter, settings: PaymentSandboxSettings, clock: Clock) -> None:
        self.state = State(settings.database(vendor.name), clock, schema.TABLES, schema.VERSION)
        self.desk = Desk(vendor, settings.refund_seconds)
        self._sender = NoticeSender(self.state, vendor, writer, self.desk, settings)
        self._control = Control(self.state, vendor, self.desk, self._sender)
        self._page = Page(self.state, vendor, settings)

    @property
    def routes(self) -> list[Route]:
        """The page and its buttons."""
        return [
            Route("/", self._page.show),
            Route("/control/state", self._control.state),
            Route("/control/{action}", self._control.press, methods=["POST"]),
        ]

    async def start(self) -> None:
        """Begin to deliver notices."""
        await self._sender.start()

    async def close(self) -> None:
        """Stop delivering, and close the file."""
        await self._sender.close()
        await self.state.close()

    async def answer(
        self,
        call: str,
        request: Request,
        carry_out: Callable[[], Awaitable[Answered]],
        refuse: Callable[[str], Answered],
    ) -> Response:
        """One call of the wire, from its mishaps to its record.

        Args:
            call: one of the vendor's `calls`.
            request: whose answer may be lost or never come.
            carry_out: does it.
            refuse: the answer to a call that a mishap refuses with that code.
        """
        now_ms = self.state.now_ms()
        ordered = await self.state.write(calls.orders, call, now_ms)
        if ordered.wait:
            await asyncio.sleep(ordered.wait)
        if ordered.hang:
            await self.state.write(calls.record, call, "", 0, "hang", now_ms)
            return Silence()
        answered = refuse(ordered.code) if ordered.code is not None else await carry_out()
        status = answered.response.status_code
        await self.state.write(calls.record, call, answered.order_no, status, answered.code, now_ms)
        self._sender.ring()
        return Hangup() if ordered.lose else answered.response
