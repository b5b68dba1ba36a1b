"""A small typed client of the chat app's socket, as docs/apps/chat-protocol.md describes it. Anything else is a failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hutong.apps.chat.conversations.schemas import MessageView

SECONDS = 10.0


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str | None = None


class Running(BaseModel):
    conversation_id: str
    message_id: str


class Problem(BaseModel):
    code: str
    message: str
    details: dict[str, Any] | None = None
    retry_after: float | None = None


class Ready(_Frame):
    type: Literal["ready"]
    user_id: str
    running: list[Running]


class Accepted(_Frame):
    type: Literal["accepted"]
    conversation_id: str
    fresh: bool
    user_message: MessageView
    message: MessageView


class Stopping(_Frame):
    type: Literal["stopping"]
    message_id: str


class Attached(_Frame):
    type: Literal["attached"]
    message_id: str


class Detached(_Frame):
    type: Literal["detached"]
    message_id: str


class Started(_Frame):
    type: Literal["started"]
    message_id: str
    seq: int
    user_message: MessageView
    message: MessageView


class Delta(_Frame):
    type: Literal["delta"]
    message_id: str
    seq: int
    text: str


class Done(_Frame):
    type: Literal["done"]
    message_id: str
    seq: int | None = None
    message: MessageView


class Failed(_Frame):
    """An error: of a frame (`id`), of a reply (`message_id`), or of the socket."""

    type: Literal["error"]
    message_id: str | None = None
    seq: int | None = None
    error: Problem
    message: MessageView | None = None


class Ended(_Frame):
    type: Literal["reply.ended"]
    conversation_id: str
    message_id: str


class Changed(_Frame):
    type: Literal["conversations.changed"]


class Missed(_Frame):
    type: Literal["missed"]


class Pong(_Frame):
    type: Literal["pong"]


class Closing(_Frame):
    type: Literal["closing"]
    code: int
    reason: str
    resume: dict[str, int]


_Answers = Ready | Accepted | Stopping | Attached | Detached | Pong
_Events = Started | Delta | Done | Failed | Ended | Changed | Missed | Closing
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Annotated[_Answers | _Events, Field(discriminator="type")])
F = TypeVar("F", bound=_Frame)


@dataclass
class LiveClient:
    """One open socket."""

    connection: ClientConnection
    heard: list[_Frame] = field(default_factory=list)
    _mark: int = 0

    async def send(self, kind: str, **fields: Any) -> str:
        """Send a frame; returns its mark."""
        self._mark += 1
        mark = f"m{self._mark}"
        await self.connection.send(orjson.dumps({"type": kind, "id": mark, **fields}).decode())
        return mark

    async def next(self) -> _Frame:
        """The next frame."""
        async with asyncio.timeout(SECONDS):
            frame: _Frame = _ADAPTER.validate_json(await self.connection.recv())
        self.heard.append(frame)
        return frame

    async def until(self, kind: type[F], **wanted: Any) -> F:
        """The next frame of a kind with these fields; what comes before it is kept in `heard`."""
        while True:
            frame = await self.next()
            if isinstance(frame, kind) and all(getattr(frame, name) == value for name, value in wanted.items()):
                return frame

    async def asked(self, kind: str, answer: type[F], **fields: Any) -> F:
        """Send a frame and wait for its answer."""
        mark = await self.send(kind, **fields)
        return await self.until(answer, id=mark)

    def text_of(self, message_id: str) -> str:
        """What the deltas of a reply add up to."""
        return "".join(
            frame.text for frame in self.heard if isinstance(frame, Delta) and frame.message_id == message_id
        )

    async def closed(self) -> int:
        """The code that the server closes with; what comes before is kept."""
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionClosed):
                async for content in self.connection:
                    self.heard.append(_ADAPTER.validate_json(content))
        assert self.connection.close_code is not None
        return self.connection.close_code


@asynccontextmanager
async def live(
    base: str, token: str | None = None, *, ticket: str | None = None, origin: str | None = None
) -> AsyncIterator[LiveClient]:
    """Open a socket; say hello with the token, if there is one."""
    url = f"{base.replace('http', 'ws', 1)}/chat/api/v1/ws" + (f"?ticket={ticket}" if ticket else "")
    async with connect(url, origin=origin, max_size=None) as connection:  # type: ignore[arg-type]
        client = LiveClient(connection)
        if token is not None:
            await connection.send(orjson.dumps({"type": "hello", "token": token}).decode())
        yield client
