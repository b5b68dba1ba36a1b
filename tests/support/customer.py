"""A customer of the storefront: only the public API, a letter box, and a wallet."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.deadlines import until
from support.http import Client

PASSWORD = "a horse with a battery"
PAGES = {"wechat": "wechatpay", "wechat_v2": "wechatpay", "alipay": "alipay"}
"""Where the sandbox of each payment channel is."""


@dataclass
class Answer:
    """What the storefront answered: HTTP status, headers, the body as JSON where it is JSON, else its bytes."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> int:
        return int(self.body["code"])

    @property
    def data(self) -> Any:
        assert (self.status, self.code, self.body["msg"]) == (200, 10000, "success"), self.body
        return self.body["data"]

    @property
    def told(self) -> tuple[int, int]:
        """Status and code."""
        return self.status, self.code


@dataclass
class Customer:
    """One user of the storefront, or a stranger until `join` or `login`."""

    client: Client
    base: str
    email: str
    access: str = ""
    refresh: str = ""
    user: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """One call below /storefront/api."""
        bearer = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        sent = {**bearer, **self.headers, **(headers or {})}
        async with self.client.request(method, f"{self.base}/storefront/api{path}", headers=sent, **options) as answer:
            content = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return Answer(answer.status, answer.headers, json.loads(content) if is_json else content)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """A POST below /storefront/api/client."""
        return await self.call("POST", f"/client{path}", json=body, headers=headers)

    async def get(self, path: str, **headers: str) -> Answer:
        """A GET below /storefront/api/client."""
        return await self.call("GET", f"/client{path}", headers=headers)

    async def register(self, password: str = PASSWORD, **more: Any) -> Answer:
        return await self.post("/auth/register", {"email": self.email, "password": password, **more})

    async def login(self, password: str = PASSWORD) -> "Customer":
        return self.keep((await self.post("/auth/login", {"email": self.email, "password": password})).data)

    async def join(self) -> "Customer":
        """Open an account and sign in."""
        assert (await self.register()).data is None
        return await self.login()

    def keep(self, data: Any) -> "Customer":
        """Remember the tokens of an answer."""
        self.access, self.refresh = data["access_token"], data["refresh_token"]
        self.user = data.get("user", self.user)
        return self

    async def mails(self) -> list[Any]:
        """All mails to this customer, the newest first."""
        url = f"{self.base}/sandbox/mail/messages.json"
        async with self.client.get(url, params={"to": self.email}) as answer:
            found: list[Any] = (await answer.json())["messages"]
            return found

    async def mail(self, words: str) -> Any:
        """The newest mail with these words in its subject or text, once it is there."""

        async def look() -> Any:
            found = [mail for mail in await self.mails() if words in mail["subject"] + mail["text"]]
            return found[0] if found else None

        return await until(look)

    async def mail_code(self, purpose: str) -> str:
        """Ask for a code, and read the mail."""
        before = len([mail for mail in await self.mails() if mail["code"]])
        sent = await self.post("/auth/send-email-code", {"email": self.email, "purpose": purpose})
        assert sent.data is None

        async def look() -> str | None:
            found = [mail["code"] for mail in await self.mails() if mail["code"]]
            return str(found[0]) if len(found) > before else None

        return str(await until(look))

    async def order(self, product: str = "credits-100", channel: str = "alipay", **headers: str) -> Any:
        """A new order."""
        body = {"product_id": product, "channel": channel}
        return (await self.post("/order/create", body, **headers)).data

    async def status(self, order_no: str) -> Any:
        return (await self.get(f"/order/status/{order_no}")).data

    async def press(self, channel: str, button: str, **fields: Any) -> None:
        """A button of the sandbox of a payment channel."""
        url = f"{self.base}/sandbox/{PAGES[channel]}/control/{button}"
        async with self.client.post(url, json=fields, headers={"Accept": "application/json"}) as answer:
            assert answer.status == 200, await answer.text()

    async def pay(self, order: Any, **fields: Any) -> None:
        """Pay an order in the sandbox; where a page is to be opened, open it first."""
        if order["pay"]["way"] == "page":
            async with self.client.get(order["pay"]["values"]["pay_url"]) as page:
                assert page.status == 200, await page.text()
        await self.press(order["channel"], "pay", order_no=order["order_no"], **fields)

    async def becomes(self, order_no: str, status: str) -> Any:
        """The order once it stands so."""

        async def look() -> Any:
            found = await self.status(order_no)
            return found if found["status"] == status else None

        return await until(look)
