"""The sandbox as an ASGI app: both APIs, the page, its buttons, and notices that are really sent."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette

from hutong.kit.clock import Clock, SystemClock
from hutong.providers.wechat.pay.sandbox import desk
from hutong.providers.wechat.pay.sandbox.answers import REFUSALS, SignedJson, SignedXml
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.sandbox.notices import Writer
from hutong.providers.wechat.pay.sandbox.page_texts import TEXTS
from hutong.providers.wechat.pay.sandbox.v2 import V2
from hutong.providers.wechat.pay.sandbox.v3 import V3
from hutong.providers.wechat.pay.v2_signatures import SignType
from hutong.sandbox.payments import PaymentSandbox, PaymentSandboxSettings, Vendor
from hutong.sandbox.payments.vendor import TWISTS

MINUTE, HOUR = 60, 3600
RETRY_SECONDS = (
    *(15, 15, 30, 3 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, 30 * MINUTE, 30 * MINUTE, 60 * MINUTE),
    *(3 * HOUR, 3 * HOUR, 3 * HOUR, 6 * HOUR, 6 * HOUR),
)
"""Pauses between deliveries: 24 hours and 4 minutes in all."""
VENDOR = Vendor(
    name="wechatpay",
    texts=TEXTS,
    templates=Path(__file__).parent / "templates",
    calls=("open", "query", "close", "refund", "query_refund"),
    refusals=tuple(REFUSALS),
    down="SYSTEM_ERROR",
    twists=TWISTS,
    retry_seconds=RETRY_SECONDS,
    new_id=desk.new_id,
)


def create_sandbox(
    settings: PaymentSandboxSettings, *, v2_sign_type: SignType = "HMAC-SHA256", clock: Clock | None = None
) -> Starlette:
    """The app; `app.state.sandbox` is the `PaymentSandbox`, whose `start` and `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls them.
    """
    clock, keys = clock or SystemClock(), SandboxKeys(settings.folder)
    sandbox = PaymentSandbox(VENDOR, Writer(keys, v2_sign_type), settings, clock)
    v2_known = keys.v2_credentials()
    v3 = V3(sandbox, keys, SignedJson(keys), clock)
    v2 = V2(sandbox, v2_known, v2_sign_type, SignedXml(v2_known, v2_sign_type), clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    app = Starlette(routes=[*v3.routes, *v2.routes, *sandbox.routes], lifespan=lifespan)
    app.state.sandbox = sandbox
    return app
