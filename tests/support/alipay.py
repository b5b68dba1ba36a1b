"""Alipay on loopback: the sandbox in a running server, a channel that calls it, a merchant who takes its notices."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Charge, Money, Notice, Payment, Refund
from hutong.kit.clock import Clock, SystemClock
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.sandbox import SandboxKeys, create_sandbox
from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY, STRANGER_KEY
from hutong.providers.alipay.settings import AlipaySettings
from hutong.sandbox.payments import PaymentSandboxSettings
from support.http import Client, http_client, serving
from support.rsa_keys import private_pem, rsa_key

ROOT = "/sandbox/alipay"


def sandbox_keys(folder: Path) -> SandboxKeys:
    """The folder's keys, put there beforehand: making new ones for each test would take seconds."""
    place = folder / "sandbox" / "keys"
    place.mkdir(parents=True, exist_ok=True)
    for name in (ALIPAY_KEY, APP_KEY, STRANGER_KEY):
        (place / f"{name}.pem").write_text(private_pem(rsa_key(name)))
    return SandboxKeys(folder)


@dataclass
class Merchant:
    """Takes notices as an app would, and remembers them."""

    channel: AlipayChannel | None = None
    believed: list[Notice] = field(default_factory=list)
    refused: list[NoticeRefused] = field(default_factory=list)
    raw: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    deaf: bool = False  # a merchant that cannot store anything
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: Request) -> Response:
        """POST /notify."""
        body, headers = await request.body(), dict(request.headers)
        self.raw.append((headers, body))
        assert self.channel is not None
        refusal = None
        try:
            notice = self.channel.read_notice(headers, body)
        except NoticeRefused as error:
            self.refused.append(error)
            refusal = error.message
        else:
            if self.deaf:
                refusal = "the database is away"
            else:
                self.believed.append(notice)
        said = self.channel.acknowledge(refusal)
        async with self.news:
            self.news.notify_all()
        return Response(said.body, said.status, dict(said.headers))


@dataclass
class AlipayBench:
    """The sandbox at `base`, a channel, a merchant, and a browser that knows nothing but URLs."""

    base: str
    folder: Path
    channel: AlipayChannel
    outbound: Outbound
    merchant: Merchant
    client: Client
    clock: Clock
    keys: SandboxKeys

    @property
    def gateway(self) -> str:
        return f"{self.base}/gateway.do"

    @property
    def notify_url(self) -> str:
        return self.base.removesuffix(ROOT) + "/notify"

    def channel_of(self, account: Any = None, **settings: Any) -> AlipayChannel:
        """Another channel to the same sandbox."""
        chosen = AlipaySettings(**settings)
        return AlipayChannel(chosen, self.gateway, account or self.keys.account, self.outbound, self.clock)

    def charge(self, order_no: str, fen: int = 1230, **changes: Any) -> Charge:
        made: dict[str, Any] = {
            "order_no": order_no,
            "money": Money(fen, "CNY"),
            "description": "胡同会员 one month",
            "expires_at": self.clock.now() + timedelta(minutes=30),
            "notify_url": self.notify_url,
            "address": "127.0.0.1",
        }
        return Charge(**{**made, **changes})

    def refund(self, paid: Payment, refund_no: str, fen: int) -> Refund:
        return Refund(
            order_no=paid.order_no,
            transaction_id=paid.transaction_id,
            refund_no=refund_no,
            money=Money(fen, "CNY"),
            paid=paid.money,
            reason="changed my mind",
            notify_url=self.notify_url,
        )

    async def look(self, pay_url: str) -> str:
        """What the customer sees behind a pay link."""
        async with self.client.get(pay_url) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def pay(self, pay_url: str) -> None:
        """The customer opens the page and presses its button."""
        async with self.client.get(pay_url) as answer:
            page, at = await answer.text(), str(answer.url)
        found = re.search(r'action="([^"]+/pay)"', page)
        assert found, page
        async with self.client.post(f"{at.rpartition('/')[0]}/{found[1]}", data={"lang": "en"}) as answer:
            assert answer.status == 200, await answer.text()

    async def paid(self, order_no: str, fen: int = 1230) -> Payment:
        """A payment made through the cashier."""
        opened = await self.channel.open(self.charge(order_no, fen))
        await self.pay(opened.values["pay_url"])
        payment = (await self.channel.query(order_no)).payment
        assert payment is not None
        return payment

    async def press(self, button: str, **fields: Any) -> Any:
        """A button of the page; the sandbox's state afterwards."""
        url, accept = f"{self.base}/control/{button}", {"Accept": "application/json"}
        async with self.client.post(url, json=fields, headers=accept) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def state(self) -> Any:
        async with self.client.get(f"{self.base}/control/state") as answer:
            return await answer.json()

    async def heard(
        self, count: int, kind: Callable[[Merchant], list[Any]] = lambda merchant: merchant.believed
    ) -> None:
        """Until the merchant has that many notices."""
        async with asyncio.timeout(20), self.merchant.news:
            await self.merchant.news.wait_for(lambda: len(kind(self.merchant)) >= count)


@asynccontextmanager
async def alipay_bench(
    folder: Path, clock: Clock | None = None, *, retry_factor: float = 0.0001, **settings: Any
) -> AsyncIterator[AlipayBench]:
    """Serve a sandbox and a merchant."""
    time, keys, merchant = clock or SystemClock(), sandbox_keys(folder), Merchant()
    app = Starlette(routes=[Route("/notify", merchant.take, methods=["POST"])])
    outbound = Outbound(allow_private=True)
    async with serving(app) as url, http_client() as client:
        made = PaymentSandboxSettings(
            folder=folder, public_url=url + ROOT, retry_factor=retry_factor, refund_seconds=0.05
        )
        sandbox = create_sandbox(made, time)
        app.router.routes.append(Mount(ROOT, sandbox))
        chosen = AlipaySettings(**settings)
        channel = AlipayChannel(chosen, f"{url}{ROOT}/gateway.do", keys.account, outbound, time)
        merchant.channel = channel
        await sandbox.state.sandbox.start()
        try:
            yield AlipayBench(url + ROOT, folder, channel, outbound, merchant, client, time, keys)
        finally:
            await sandbox.state.sandbox.close()
            await outbound.close()
