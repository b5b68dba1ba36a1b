"""Alipay's sandbox with a cashier to go to, for its own tests."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.ports import Charge, Money, Payment, PaymentChannel
from hutong.providers.alipay.account import Account
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.sandbox import SandboxKeys
from hutong.providers.alipay.settings import AlipaySettings
from support.payments import PayBench, alipay, alipay_sandbox, pay_bench


class AlipayBench:
    """A customer with a browser that knows nothing but URLs, beside the bench of every channel.

    Args:
        pay: the sandbox, the channel, the merchant.
        outbound: for further channels.
    """

    def __init__(self, pay: PayBench, outbound: Outbound) -> None:
        self.pay, self.outbound = pay, outbound
        self.channel: PaymentChannel = pay.channel
        self.base, self.gateway = pay.url, f"{pay.url}/gateway.do"
        self.keys = SandboxKeys(pay.folder)

    def channel_of(self, account: Callable[[], Account]) -> AlipayChannel:
        """Another channel to the same sandbox."""
        return AlipayChannel(AlipaySettings(), self.gateway, account, self.outbound, self.pay.clock)

    def charge(self, order_no: str, fen: int = 1230, **changes: Any) -> Charge:
        return replace(self.pay.charge(money=Money(fen, "CNY")), order_no=order_no, **changes)

    async def page(self, order_no: str, fen: int = 1230, **changes: Any) -> str:
        """The link that the customer gets."""
        values = (await self.channel.open(self.charge(order_no, fen, **changes))).values
        return values.get("pay_url") or values["code_url"]

    async def look(self, url: str) -> str:
        """What the customer sees behind a link."""
        async with self.pay.client.get(url) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def pay_at(self, url: str) -> None:
        """The customer opens the page and presses its button."""
        async with self.pay.client.get(url) as answer:
            page, at = await answer.text(), str(answer.url)
        found = re.search(r'action="([^"]+/pay)"', page)
        assert found, page
        async with self.pay.client.post(f"{at.rpartition('/')[0]}/{found[1]}", data={"lang": "en"}) as answer:
            assert answer.status == 200, await answer.text()

    async def paid(self, order_no: str, fen: int = 1230) -> Payment:
        """A payment made through the cashier."""
        await self.pay_at(await self.page(order_no, fen))
        payment = (await self.channel.query(order_no)).payment
        assert payment is not None
        return payment


@asynccontextmanager
async def alipay_bench(folder: Path, **settings: Any) -> AsyncIterator[AlipayBench]:
    """Serve a sandbox; customers pay on pages unless the settings say otherwise."""
    outbound = Outbound(allow_private=True)
    async with pay_bench(folder, partial(alipay, **{"way": "page", **settings}), alipay_sandbox) as made:
        yield AlipayBench(made, outbound)
    await outbound.close()
