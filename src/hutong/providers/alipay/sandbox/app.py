"""The sandbox as an ASGI app: the gateway, the cashier, and the page with its buttons. Source: Alipay OpenAPI, gateway.do."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kit.clock import Clock, SystemClock
from hutong.providers.alipay.sandbox import trades, wire
from hutong.providers.alipay.sandbox.cashier import PAGES, Cashier
from hutong.providers.alipay.sandbox.keys import SandboxKeys
from hutong.providers.alipay.sandbox.notices import NoticeForms
from hutong.providers.alipay.sandbox.refusals import AlipayRefusal
from hutong.providers.alipay.sandbox.trades import METHODS, Scene
from hutong.providers.alipay.sandbox.vendor import VENDOR
from hutong.providers.alipay.sandbox.wire import Call
from hutong.providers.alipay.settings import SANDBOX_APP_ID
from hutong.sandbox.payments import Answered, PaymentSandbox, PaymentSandboxSettings


class Sandbox:
    """One process's part in the stand-in."""

    def __init__(self, settings: PaymentSandboxSettings, clock: Clock) -> None:
        self._settings = settings
        self._keys = SandboxKeys(settings.folder)
        self._payments = PaymentSandbox(VENDOR, NoticeForms(self._keys), settings, clock)
        self._state = self._payments.state
        self._cashier = Cashier(settings, self._state, self._payments.desk)

    @property
    def routes(self) -> list[Route]:
        return [
            *self._payments.routes,
            Route("/gateway.do", self.gateway, methods=["GET", "POST"]),
            Route("/cashier/{order_no}/{token}", self._cashier.show),
            Route("/cashier/{order_no}/{token}/pay", self._cashier.pay, methods=["POST"]),
        ]

    async def start(self) -> None:
        """Begin to deliver notices."""
        await self._payments.start()

    async def close(self) -> None:
        """Stop delivering, and close the file."""
        await self._payments.close()

    async def gateway(self, request: Request) -> Response:
        """GET or POST /gateway.do: whatever `method` says."""
        try:
            parameters = await wire.parameters_of(request)
        except AlipayRefusal as refusal:
            return wire.refused("", refusal, self._keys.alipay)
        method = parameters.get("method", "")
        if method in PAGES:
            return await self._payments.answer(
                "open",
                request,
                lambda: self._open(request, parameters),
                lambda code: self._cashier.refused(request, AlipayRefusal(code)),
            )
        if method not in METHODS:
            missing = "isv.invalid-method" if method else "isv.missing-method"
            return wire.refused("", AlipayRefusal(missing), self._keys.alipay)
        word, _ = METHODS[method]
        return await self._payments.answer(
            word, request, lambda: self._call(parameters), lambda code: self._refused(parameters, AlipayRefusal(code))
        )

    async def _open(self, request: Request, parameters: Mapping[str, str]) -> Answered:
        try:
            return await self._cashier.open(self._verified(parameters))
        except AlipayRefusal as refusal:
            return self._cashier.refused(request, refusal)

    async def _call(self, parameters: Mapping[str, str]) -> Answered:
        try:
            call = self._verified(parameters)
            content = await self._state.write(self._carry_out, call)
        except AlipayRefusal as refusal:
            return self._refused(parameters, refusal)
        return Answered(wire.answer(call.method, content, self._keys.alipay), _order_no(call.content))

    def _verified(self, parameters: Mapping[str, str]) -> Call:
        return wire.verified(parameters, SANDBOX_APP_ID, self._keys.app.public_key())

    def _refused(self, parameters: Mapping[str, str], refusal: AlipayRefusal) -> Answered:
        response = wire.refused(parameters["method"], refusal, self._keys.alipay)
        return Answered(response, code=refusal.sub_code)

    def _carry_out(self, conn: sqlite3.Connection, call: Call) -> dict[str, Any]:
        scene = Scene(conn, self._state.now_ms(), self._payments.desk, self._settings.public_url)
        return trades.carry_out(scene, call)


def create_sandbox(settings: PaymentSandboxSettings, clock: Clock | None = None) -> Starlette:
    """The app; `app.state.sandbox` is the `Sandbox`, whose `start` and `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls them.
    """
    sandbox = Sandbox(settings, clock or SystemClock())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    app = Starlette(routes=sandbox.routes, lifespan=lifespan)
    app.state.sandbox = sandbox
    return app


def _order_no(content: Mapping[str, Any]) -> str:
    return str(content.get("out_trade_no", ""))
