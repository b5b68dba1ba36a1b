"""WebSocket endpoints for tests of what all of them share, and a client for them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import orjson
from starlette.types import Scope

from hutong.kernel.realtime import Frame, Hello, Socket, SocketLimits, Sockets
from hutong.kernel.realtime.places import Places
from hutong.kernel.store import Store
from hutong.kit.errors import Unauthenticated
from support.http import Client, serving


class Say(Frame):
    """Repeat something."""

    type: Literal["say"]
    text: str


class Flood(Frame):
    """Send `count` frames of `size` characters: as events, or as a stream that waits."""

    type: Literal["flood"]
    count: int
    size: int
    waits: bool


class Fail(Frame):
    """Break."""

    type: Literal["fail"]


class Parlour:
    """An app for sockets: users are numbers, and say them as their token."""

    def __init__(self) -> None:
        self.inside: list[Socket] = []
        self.left: list[int] = []
        self.banned: set[int] = set()

    async def admit(self, hello: Hello, scope: Scope) -> int:
        word = hello.token or hello.ticket or ""
        if not word.isdigit() or int(word) in self.banned:
            raise Unauthenticated
        return int(word)

    async def enter(self, socket: Socket, hello: Hello) -> None:
        self.inside.append(socket)
        socket.send({"type": "ready", "user": socket.user_id})

    async def receive(self, socket: Socket, frame: Frame) -> None:
        if isinstance(frame, Say):
            socket.send({"type": "said", "text": frame.text, "id": frame.id})
        elif isinstance(frame, Flood):
            socket.spawn(_flood(socket, frame))
        elif isinstance(frame, Fail):
            raise ZeroDivisionError("a defect with a secret in it")

    async def leave(self, socket: Socket) -> None:
        self.inside.remove(socket)
        self.left.append(socket.user_id)

    async def stays(self, socket: Socket) -> bool:
        return socket.user_id not in self.banned


async def _flood(socket: Socket, frame: Flood) -> None:
    for number in range(frame.count):
        sent = {"type": "flood", "number": number, "text": "x" * frame.size}
        if frame.waits:
            await socket.deliver(sent, ("r1", number))
        else:
            socket.send(sent, ("r1", number))
            await asyncio.sleep(0)


class Talk:
    """A client's end."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self.ws.send_str(orjson.dumps(frame).decode())

    async def hear(self) -> dict[str, Any]:
        """The next frame."""
        message = await self.ws.receive(10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        found: dict[str, Any] = orjson.loads(message.data)
        return found

    async def closed(self) -> tuple[int, str]:
        """The code and the reason that it is closed with, after whatever comes before."""
        async with asyncio.timeout(20):
            while (message := await self.ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        if message.type is aiohttp.WSMsgType.CLOSE:
            return int(message.data), str(message.extra or "")
        assert message.type in {aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED}, message
        return 1006, ""

    def cut(self) -> None:
        """As a network that is gone: no word, not even a close frame."""
        connection = self.ws._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()


class Place:
    """One process that serves sockets at `/ws`."""

    def __init__(self, url: str, parlour: Parlour, client: Client) -> None:
        self.url, self.parlour, self._client = url, parlour, client

    async def knock(self, query: str = "", **headers: str) -> Talk:
        """A socket that has said nothing yet."""
        url = f"{self.url}/ws{query}"
        # No limit for what comes, and nothing done by itself: tests close by hand.
        ws = await self._client.ws_connect(url, headers=headers, max_msg_size=0, autoclose=True)
        return Talk(ws)

    async def enter(self, user: int = 1) -> Talk:
        """A socket of a user."""
        talk = await self.knock()
        await talk.say(type="hello", token=str(user))
        assert await talk.hear() == {"type": "ready", "user": user}
        return talk


@asynccontextmanager
async def sockets_at(
    store_url: str,
    client: Client,
    limits: SocketLimits | None = None,
    origins: Sequence[str] = (),
    lease_seconds: float = 45.0,
) -> AsyncIterator[Place]:
    """One more process with sockets, as far as the store can tell."""
    store, parlour = Store(store_url), Parlour()
    limits = limits or SocketLimits()
    places = Places(store, "parlour", limits.per_user, lease_seconds)
    sockets = Sockets("parlour", parlour, [Say, Flood, Fail], store, origins, limits, places)
    try:
        async with serving(sockets) as url:
            yield Place(url, parlour, client)
    finally:
        await store.close()


class Hand:
    """A client that does everything by hand: it can send what no library would, and not read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, content: bytes, opcode: int = 1, *, fin: bool = True) -> None:
        """Send a frame, masked with zeros (RFC 6455 §5.2)."""
        head = bytes([opcode | (0x80 if fin else 0)])
        size = len(content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self._writer.write(head + length + b"\0\0\0\0" + content)

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.transport.abort()

    async def hear(self) -> tuple[int, bytes]:
        """The next frame: its opcode and content."""
        opcode, size = await self._reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8))
        return opcode & 0x0F, await self._reader.readexactly(size)

    async def rest(self) -> tuple[list[dict[str, Any]], int]:
        """All frames until the end, and the code of the close frame; 1006 if there is none."""
        frames: list[dict[str, Any]] = []
        try:
            while True:
                opcode, content = await self.hear()
                if opcode == 8:
                    return frames, int.from_bytes(content[:2])
                if opcode == 1:
                    frames.append(orjson.loads(content))
        except (asyncio.IncompleteReadError, ConnectionError):
            return frames, 1006


async def open_by_hand(url: str, path: str) -> Hand:
    """A client with a small buffer, after the handshake; `cut` it."""
    host, port = url.removeprefix("http://").split(":")
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return Hand(reader, writer)


@asynccontextmanager
async def by_hand(url: str, query: str = "") -> AsyncIterator[Hand]:
    """`open_by_hand` at `/ws`, for a while."""
    hand = await open_by_hand(url, f"/ws{query}")
    try:
        yield hand
    finally:
        hand.cut()
