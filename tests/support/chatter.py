"""A user of the chat app: only the public API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageStatus
from hutong.kernel.gateway.chat import Usage
from hutong.kernel.identity import UserRole
from support.http import Client
from support.stand import Stand

PASSWORD = "a horse with a battery"


@dataclass
class Said:
    """What the chat app answered: HTTP status, headers, the body as JSON where it is JSON, else its bytes."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def ok(self) -> Any:
        """The body of a success."""
        assert self.status < 300, self.body
        return self.body

    @property
    def told(self) -> tuple[int, str]:
        """Status and code of a failure."""
        assert set(self.body) == {"error"}, self.body
        assert set(self.body["error"]) - {"details"} == {"code", "message", "request_id"}
        assert self.body["error"]["request_id"] == self.headers["X-Request-ID"]
        return self.status, self.body["error"]["code"]


@dataclass
class Chatter:
    """One user of the chat app, or a stranger until `join` or `login`."""

    client: Client
    base: str
    name: str
    access: str = ""
    refresh: str = ""
    user: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    @property
    def user_id(self) -> int:
        return int(self.user["id"])

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Said:
        """One call below /chat/api/v1, or below /chat for a path of its root."""
        sent = {**({"Authorization": f"Bearer {self.access}"} if self.access else {}), **self.headers}
        root = "" if path.startswith(("/v1/", "/health")) else "/api/v1"
        if body is not None:
            options["json"] = body
        sent |= options.pop("headers", {})
        async with self.client.request(method, f"{self.base}/chat{root}{path}", headers=sent, **options) as answer:
            content = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return Said(answer.status, answer.headers, json.loads(content) if is_json else content)

    async def get(self, path: str, **query: Any) -> Said:
        return await self.call("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Said:
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Any) -> Said:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> Said:
        return await self.call("DELETE", path)

    async def register(self, **other: Any) -> Said:
        return await self.post(
            "/auth/register", {"username": self.name, "email": self.email, "password": PASSWORD, **other}
        )

    async def join(self) -> "Chatter":
        """Open an account, which signs in."""
        return self.keep((await self.register()).ok)

    async def login(self, name: str | None = None, password: str = PASSWORD) -> "Chatter":
        return self.keep((await self.post("/auth/login", {"username": name or self.name, "password": password})).ok)

    def keep(self, body: Any) -> "Chatter":
        """Remember the tokens of an answer."""
        self.access, self.refresh = body["access_token"], body["refresh_token"]
        self.user = body.get("user", self.user)
        return self

    async def begin(self, title: str = "", **other: Any) -> Any:
        """A new conversation."""
        return (await self.post("/conversations", {"title": title, **other})).ok

    async def titles(self, **query: Any) -> list[str]:
        """Titles of the first page of the list."""
        return [item["title"] for item in (await self.get("/conversations", **query)).ok["items"]]


def stranger(stand: Stand, name: str) -> Chatter:
    """Somebody who has no account yet."""
    return Chatter(stand.client, stand.base, name)


async def chatter(stand: Stand, name: str) -> Chatter:
    """Somebody with an account, signed in."""
    return await stranger(stand, name).join()


async def administrator(stand: Stand, name: str = "admin") -> Chatter:
    """An administrator, made as operators make them."""
    made = stranger(stand, name)
    accounts = stand.host.specs[-1].open_accounts
    assert accounts is not None
    await accounts(stand.host.kernel).create(made.email, password=PASSWORD, role=UserRole.ADMIN)
    return await made.login(made.email)


async def exchange(stand: Stand, user: Chatter, conversation_id: str, said: str, answered: str, **at: Any) -> Message:
    """A message and its reply, written as the app writes them; the reply."""
    db, clock = stand.host.kernel.db, stand.host.kernel.clock
    parent = at.get("parent_id")
    asked = await db.write(
        messages.add_user_message, user.user_id, conversation_id, parent, said, at.get("now") or clock.now()
    )
    reply = await db.write(
        messages.open_reply,
        user.user_id,
        conversation_id,
        asked.id,
        model="gpt-4o-mini",
        reservation_id=None,
        now=clock.now(),
    )
    done = await db.write(
        messages.finish_reply,
        user.user_id,
        reply.id,
        status=MessageStatus.COMPLETE,
        content=answered,
        now=clock.now(),
        usage=Usage(10, 5),
        finish_reason="stop",
        cost=7,
    )
    assert done
    return reply
