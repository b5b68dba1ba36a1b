"""The storefront's main job as a client would do it: an account, a code by mail, tokens that rotate, an order, a receipt."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

from hutong.host.channels import WECHAT_PAY_PATH
from hutong.host.demos.stage import DemoFailed, Line, Stage
from hutong.host.wiring import MAIL_SANDBOX_PATH
from hutong.kernel.http.outbound import Outbound

PRODUCT, CHANNEL = "membership-month", "wechat"
LONGEST_SECONDS = 60.0


class Shopper:
    """A customer: only the public API, a letter box in the mail sandbox, and a wallet in the payment sandbox."""

    def __init__(self, base: str, outbound: Outbound) -> None:
        self._base, self._outbound = base.rstrip("/"), outbound
        self.email = f"demo-{secrets.token_hex(4)}@example.com"
        self._password = secrets.token_urlsafe(12)
        self._access = ""

    async def call(self, method: str, path: str, json: Any = None) -> Any:
        """One call; the answer's `data`."""
        url = f"{self._base}/storefront/api/client{path}"
        headers = {"X-Device-ID": "demo", **({"Authorization": f"Bearer {self._access}"} if self._access else {})}
        answer = await self._outbound.request("demo", path, method, url, headers=headers, json=json)
        content = answer.json()
        if answer.status != 200 or content["code"] != 10000:
            raise DemoFailed(
                f"{path} answered {answer.status} {content['code']}: {content['msg']} {content['data'] or ''}"
            )
        return content["data"]

    async def register(self) -> None:
        await self.call("POST", "/auth/register", {"email": self.email, "password": self._password, "nickname": "Lin"})

    async def login_by_code(self) -> Any:
        """Ask for a code, read it in the letter box, sign in with it."""
        await self.call("POST", "/auth/send-email-code", {"email": self.email, "purpose": "login"})
        mail = await self.mail(lambda mail: bool(mail["code"]))
        pair = await self.call("POST", "/auth/email-verify-login", {"email": self.email, "code": mail["code"]})
        self._access = pair["access_token"]
        return pair

    async def refresh(self, pair: Any) -> None:
        """Rotate the tokens."""
        renewed = await self.call("POST", "/auth/refresh", {"refresh_token": pair["refresh_token"]})
        self._access = renewed["access_token"]

    async def pay(self, order_no: str) -> None:
        """What a customer does in the vendor's app."""
        url = f"{self._base}{WECHAT_PAY_PATH}/control/pay"
        headers = {"Accept": "application/json"}
        answer = await self._outbound.request("demo", "pay", "POST", url, headers=headers, json={"order_no": order_no})
        if answer.status != 200:
            raise DemoFailed(f"the WeChat Pay sandbox answered {answer.status}: {answer.body[:200]!r}")

    async def becomes(self, order_no: str, status: str) -> Any:
        """The order once it stands so."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                order = await self.call("GET", f"/order/status/{order_no}")
                if order["status"] == status:
                    return order
                await asyncio.sleep(0.1)

    async def mail(self, wanted: Any) -> Any:
        """The newest mail to this customer that is wanted, once it is there."""
        url = f"{self._base}{MAIL_SANDBOX_PATH}/messages.json?to={self.email}"
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                answer = await self._outbound.request("demo", "mails", "GET", url)
                for mail in answer.json()["messages"]:
                    if wanted(mail):
                        return mail
                await asyncio.sleep(0.1)

    async def mail_page(self, number: int) -> bytes:
        """A mail as its reader sees it."""
        url = f"{self._base}{MAIL_SANDBOX_PATH}/messages/{number}/html"
        return (await self._outbound.request("demo", "mail", "GET", url)).body


async def buy(stage: Stage) -> None:
    """Buy a membership, save the receipt, and show it.

    Raises:
        DemoFailed.
    """
    shopper = Shopper(stage.base, stage.outbound)
    try:
        with stage.progress() as bar:
            receipt = await _story(shopper, Line(bar, bar.add_task(f"Opening an account for {shopper.email}", total=7)))
    except TimeoutError:
        raise DemoFailed("the storefront's story came to a stop; see the log above") from None
    page = await shopper.mail_page(receipt["id"])
    await asyncio.to_thread(_keep, receipt["text"], page, stage.output)
    stage.console.rule("Receipt")
    stage.console.print(receipt["text"].strip(), highlight=False, markup=False)
    stage.console.rule()
    saved = f"{stage.output / 'receipt.txt'} and {stage.output / 'receipt.html'}"
    stage.console.print(f"[bold green]Paid[/] and mailed; saved as {saved}", highlight=False)


async def _story(shopper: Shopper, line: Line) -> Any:
    await shopper.register()
    line.done(f"Account opened for {shopper.email}", "Waiting for a code by mail")
    pair = await shopper.login_by_code()
    line.done(f"Signed in as {pair['user']['nickname']} with the code of the mail", "Renewing the tokens")
    await shopper.refresh(pair)
    line.done("Tokens rotated", "Ordering")
    order = await shopper.call("POST", "/order/create", {"product_id": PRODUCT, "channel": CHANNEL})
    price = f"{order['currency']} {order['amount'] / 100:.2f}"
    line.done(f"Order {order['order_no']}: {order['name']} for {price}, {order['status']}", "Paying in the sandbox")
    await shopper.pay(order["order_no"])
    line.done("Paid in the sandbox of WeChat Pay", "Waiting for the vendor's report")
    paid = await shopper.becomes(order["order_no"], "PAID")
    line.done(f"Order is {paid['status']}, at {paid['paid_at']}", "Waiting for the receipt")
    receipt = await shopper.mail(lambda mail: order["order_no"] in mail["subject"])
    line.done(f"Receipt mailed: {receipt['subject']}", "Done")
    return receipt


def _keep(text: str, page: bytes, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / "receipt.txt").write_text(text, "utf-8")
    (output / "receipt.html").write_bytes(page)
