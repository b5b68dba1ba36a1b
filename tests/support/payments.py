"""A payment channel under test: its vendor's sandbox on loopback, and a merchant that receives the notices."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Charge, Money, Notice, Payment, PaymentChannel, PayParameters, Refund
from hutong.kit.clock import ManualClock, SystemClock
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.sandbox import create_sandbox as create_alipay
from hutong.providers.alipay.settings import AlipaySettings
from hutong.providers.wechat.pay.client import WechatPay
from hutong.providers.wechat.pay.sandbox.app import create_sandbox as create_wechat_pay
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.settings import WechatPaySettings, WechatPayV2Settings
from hutong.providers.wechat.pay.v2 import WechatPayV2
from hutong.sandbox.payments import PaymentSandboxSettings
from support.alipay_keys import sandbox_keys
from support.http import Client, http_client, serving
from support.stand import until

PRICE = Money(1234, "CNY")
Letter = tuple[Mapping[str, str], bytes]


@dataclass
class Merchant:
    """Receives notices as an app would: reads them with the channel, and answers what the channel says.

    Args:
        channel: whose notices.
        taken, refused: what was read, and why the rest was not; letters: all deliveries as they came.
        busy: answers 503 while it is set, as a merchant whose database is away.
    """

    channel: PaymentChannel
    taken: list[Notice] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    busy: bool = False

    async def receive(self, request: Request) -> Response:
        headers, body = dict(request.headers), await request.body()
        self.letters.append((headers, body))
        if self.busy:
            return Response(status_code=503)
        refusal = None
        try:
            self.taken.append(self.channel.read_notice(headers, body))
        except NoticeRefused as error:
            refusal = error.message
            self.refused.append(str(error.details["reason"]) if error.details else "")
        answer = self.channel.acknowledge(refusal)
        return Response(answer.body, answer.status, dict(answer.headers))

    @property
    def payments(self) -> list[Payment]:
        return [notice.payment for notice in self.taken if notice.payment is not None]


@dataclass(frozen=True)
class Habits:
    """How vendors differ.

    Args:
        seen_first: the vendor knows of an order when the customer has opened it.
        tells_failures: of refunds; otherwise they stay unknown, to be asked for again.
        tells_refunded: its notices of refunds give the refund's own sum.
    """

    seen_first: bool = False
    tells_failures: bool = True
    tells_refunded: bool = True


@dataclass
class PayBench:
    """A sandbox at `url`, a channel that calls it, and a merchant at `notify_url`."""

    url: str
    notify_url: str
    folder: Path
    clock: ManualClock
    channel: PaymentChannel
    merchant: Merchant
    client: Client
    orders: int = 0
    habits: Habits = Habits()

    def charge(self, *, payer: str | None = None, money: Money = PRICE, minutes: float = 30) -> Charge:
        """A new order's."""
        self.orders += 1
        ends = self.clock.now() + timedelta(minutes=minutes)
        number = f"ORDER{self.orders:08d}"
        return Charge(number, money, "一小时 / one hour", ends, self.notify_url, "203.0.113.7", payer)

    async def opened(self, **options: Any) -> Charge:
        """A new order that the vendor knows."""
        charge = self.charge(**options)
        await self.visit(await self.channel.open(charge))
        return charge

    async def visit(self, parameters: PayParameters) -> None:
        """The customer looks at what is to be paid, where that makes a difference."""
        if self.habits.seen_first:
            async with self.client.get(parameters.values["code_url"]) as answer:
                assert answer.status == 200, await answer.text()

    async def paid(self, **options: Any) -> Payment:
        """A new order that is paid, and the payment as a query tells it."""
        charge = await self.opened(**options)
        await self.press("pay", order_no=charge.order_no)
        found = await self.channel.query(charge.order_no)
        assert found.payment is not None
        return found.payment

    def back(self, payment: Payment, amount: int, number: str = "REFUND000001") -> Refund:
        """A refund of a payment."""
        money = Money(amount, payment.money.currency)
        return Refund(payment.order_no, payment.transaction_id, number, money, payment.money, "sorry", self.notify_url)

    async def press(self, button: str, *, expected: int = 200, **fields: Any) -> Any:
        """A button of the sandbox's page; the state afterwards."""
        url = f"{self.url}/control/{button}"
        async with self.client.post(url, json=fields, headers={"Accept": "application/json"}) as answer:
            assert answer.status == expected, await answer.text()
            return await answer.json()

    async def state(self) -> Any:
        async with self.client.get(f"{self.url}/control/state") as answer:
            return await answer.json()

    async def letters(self, count: int) -> list[Letter]:
        """The deliveries, once there are so many."""
        await until(self._has(lambda: len(self.merchant.letters) >= count))
        return self.merchant.letters

    async def notices(self, count: int) -> list[Notice]:
        """The notices that were taken, once there are so many."""
        await until(self._has(lambda: len(self.merchant.taken) >= count))
        return self.merchant.taken

    async def hurried(self, count: int) -> list[Notice]:
        """The same, while the vendor does not wait for its next try."""

        async def taken() -> bool:
            await self.press("hurry")
            return len(self.merchant.taken) >= count

        await until(taken)
        return self.merchant.taken

    def _has(self, check: Callable[[], bool]) -> Any:
        async def checked() -> bool:
            return check()

        return checked


ChannelOf = Callable[[Path, str, Outbound, ManualClock], PaymentChannel]
SandboxOf = Callable[[PaymentSandboxSettings, ManualClock], Starlette]


@asynccontextmanager
async def pay_bench(
    folder: Path,
    channel_of: ChannelOf,
    sandbox_of: SandboxOf,
    start: datetime | None = None,
    habits: Habits = Habits(),
) -> AsyncIterator[PayBench]:
    """Serve sandbox and merchant under one address; the vendor's first pauses are none, later ones last until `hurry`.

    Benches whose folders are neighbours share their keys: a pair takes a tenth of a second.
    """
    (folder.parent / "sandbox-keys").mkdir(exist_ok=True)
    (folder / "sandbox").mkdir()
    (folder / "sandbox" / "keys").symlink_to(folder.parent / "sandbox-keys")
    clock = ManualClock(start or SystemClock().now())
    app, outbound = Starlette(), Outbound(allow_private=True)
    async with serving(app) as base, http_client() as client:
        made = PaymentSandboxSettings(
            folder=folder, public_url=f"{base}/sandbox", retry_factor=1e-6, refund_seconds=0, answer_seconds=2
        )
        sandbox, channel = sandbox_of(made, clock), channel_of(folder, made.public_url, outbound, clock)
        merchant = Merchant(channel)
        app.router.routes += [
            Mount("/sandbox", sandbox),
            Route("/notify", merchant.receive, methods=["POST"]),
        ]
        await sandbox.state.sandbox.start()
        try:
            yield PayBench(made.public_url, f"{base}/notify", folder, clock, channel, merchant, client, habits=habits)
        finally:
            await sandbox.state.sandbox.close()
            await outbound.close()


def wechat(folder: Path, url: str, outbound: Outbound, clock: ManualClock, **settings: Any) -> PaymentChannel:
    """APIv3, with the sandbox's account."""
    chosen = WechatPaySettings(timeout=3, **settings)
    return WechatPay(chosen, url, SandboxKeys(folder).credentials, outbound, clock)


def wechat_v2(folder: Path, url: str, outbound: Outbound, clock: ManualClock, **settings: Any) -> PaymentChannel:
    """The older API, with the sandbox's account."""
    chosen = WechatPayV2Settings(timeout=3, **settings)
    return WechatPayV2(chosen, url, SandboxKeys(folder).v2_credentials, outbound, clock)


def wechat_sandbox(made: PaymentSandboxSettings, clock: ManualClock) -> Starlette:
    return create_wechat_pay(made, clock=clock)


def alipay(folder: Path, url: str, outbound: Outbound, clock: ManualClock, **settings: Any) -> PaymentChannel:
    """Alipay by QR codes, with the sandbox's account."""
    chosen = AlipaySettings(**{"timeout": 3, "way": "native", **settings})
    return AlipayChannel(chosen, f"{url}/gateway.do", sandbox_keys(folder).account, outbound, clock)


def alipay_sandbox(made: PaymentSandboxSettings, clock: ManualClock) -> Starlette:
    return create_alipay(made, clock)


ALIPAY = Habits(seen_first=True, tells_failures=False, tells_refunded=False)
Opener = Callable[[Path], AbstractAsyncContextManager[PayBench]]
CHANNELS: Mapping[str, Opener] = {
    "wechat": lambda folder: pay_bench(folder, wechat, wechat_sandbox),
    "wechat_v2": lambda folder: pay_bench(folder, wechat_v2, wechat_sandbox),
    "alipay": lambda folder: pay_bench(folder, alipay, alipay_sandbox, habits=ALIPAY),
}
"""A channel joins the conformance suite by adding its bench."""
