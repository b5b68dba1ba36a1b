"""One user of the chat app over HTTP and server-sent events."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from support.http import Client

PASSWORD = "a sentence of a user"


@dataclass(frozen=True)
class Answer:
    """An answer: status, headers, and the body as JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def ok(self) -> Any:
        assert self.status < 300, (self.status, self.body)
        return self.body


@dataclass(frozen=True)
class Heard:
    """One event of a stream."""

    id: int
    kind: str
    data: Any


@dataclass
class Hearing:
    """A running stream of events, read one after the other."""

    lines: AsyncIterator[bytes]
    comments: int = 0
    events: list[Heard] = field(default_factory=list)

    async def next(self) -> Heard | None:
        """The next event; None at the end."""
        fields: dict[str, str] = {}
        async for raw in self.lines:
            line = raw.decode().rstrip("\n")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                event = Heard(int(fields.get("id", 0)), fields["event"], json.loads(fields["data"]))
                self.events.append(event)
                return event
            else:
                fields = {}
        return None

    async def until(self, kind: str) -> Heard:
        """The next event of a kind."""
        while (event := await self.next()) is not None:
            if event.kind == kind:
                return event
        raise AssertionError(f"the stream ended without {kind}: {self.events}")

    async def rest(self) -> list[Heard]:
        """Everything that comes."""
        while await self.next():
            pass
        return self.events

    @property
    def text(self) -> str:
        """What the deltas add up to."""
        return "".join(event.data["text"] for event in self.events if event.kind == "delta")


@dataclass
class Talker:
    """One user of the chat app."""

    client: Client
    base: str
    name: str = "lin"
    token: str = ""
    user: Any = None

    async def join(self) -> "Talker":
        """Open an account."""
        body = {"username": self.name, "email": f"{self.name}@example.com", "password": PASSWORD}
        joined = (await self.call("POST", "/auth/register", json=body)).ok
        self.token, self.user = joined["access_token"], joined["user"]
        return self

    def at(self, base: str) -> "Talker":
        """The same user at another process."""
        return Talker(self.client, base, self.name, self.token, self.user)

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(more or {})}

    async def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """One call below /chat/api/v1."""
        url = f"{self.base}/chat/api/v1{path}"
        async with self.client.request(method, url, headers=self.headers(headers), **options) as answer:
            content = await answer.read()
            return Answer(answer.status, answer.headers, orjson.loads(content) if content else None)

    @asynccontextmanager
    async def hearing(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncIterator[Hearing]:
        """A call that answers with events."""
        url = f"{self.base}/chat/api/v1{path}"
        async with self.client.request(method, url, headers=self.headers(headers), **options) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            yield Hearing(aiter(answer.content))

    async def send(self, conversation: str, content: str, *, key: str | None = None, **more: Any) -> Answer:
        """Send a message and wait for the reply."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call(
            "POST", f"/conversations/{conversation}/messages", json={"content": content, **more}, headers=headers
        )

    def streaming(self, conversation: str, content: str, *, key: str | None = None, **more: Any) -> Any:
        """Send a message and hear the reply."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"content": content, "stream": True, **more}
        return self.hearing("POST", f"/conversations/{conversation}/messages", json=body, headers=headers)

    def following(self, conversation: str, message: str, after: int = 0) -> Any:
        """Hear a reply from where one was."""
        headers = {"Last-Event-ID": str(after)} if after else {}
        return self.hearing("GET", f"/conversations/{conversation}/messages/{message}/stream", headers=headers)
