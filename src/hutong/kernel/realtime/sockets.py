"""What every WebSocket endpoint shares; apps say who may come in and what a frame means.

Origin, hello, limits, frames, errors, pings, slow clients, metrics. A `Sockets` is an ASGI app: give it to a route.
Source: docs/kernel/realtime.md "Sockets"; RFC 6455; contracts/chat.md `WS /ws`.
"""

import asyncio
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.types import Message, Receive, Scope, Send

from hutong.kernel.http.answers import unexpected
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kernel.realtime.frames import Frame, Frames, Hello, Ping, error_frame, id_of
from hutong.kernel.realtime.origins import Origins
from hutong.kernel.realtime.places import Places
from hutong.kernel.realtime.socket import Socket
from hutong.kernel.realtime.socket_limits import LATE, POLICY, TOO_MANY, UNKNOWN, SocketLimits
from hutong.kernel.store import Store
from hutong.kit.errors import HutongError, TooManyRequests, Unauthenticated

TICK_SECONDS = 1.0
_log = logger("realtime.sockets")
_access = logger("http.access")


class HelloMissing(Unauthenticated):
    """Say hello with a token or a ticket first."""

    code = "socket.hello_missing"


class TooManySockets(TooManyRequests):
    """You have too many connections open; close one."""

    code = "socket.too_many"


class SocketApp(Protocol):
    """What an app does with its sockets."""

    async def admit(self, hello: Hello, scope: Scope) -> int:
        """The user that says hello.

        Raises:
            HutongError: it is nobody who may come in; told to the client, which is closed with 4401.
        """
        ...

    async def enter(self, socket: Socket, hello: Hello) -> None:
        """The socket is open; from here on frames come."""
        ...

    async def receive(self, socket: Socket, frame: Frame) -> None:
        """A frame came; the next one waits until this returns.

        Raises:
            HutongError: told to the client, and the socket stays.
        """
        ...

    async def leave(self, socket: Socket) -> None:
        """The client is gone, for whatever reason; what was spawned has ended."""
        ...

    async def stays(self, socket: Socket) -> bool:
        """Whether the user may stay: asked once a minute, for those who signed out elsewhere."""
        ...


class Sockets:
    """The sockets of one app in this process.

    Args:
        name: of the app, its realm and its metrics.
        app: what is done with them.
        frames: the kinds of frames that clients may send after their hello; `ping` is answered here.
        store: counts the sockets of a user.
        origins: pages that may open one, besides those of the same host.
        limits: sizes and times.
    """

    def __init__(
        self,
        name: str,
        app: SocketApp,
        frames: Sequence[type[Frame]],
        store: Store,
        origins: Sequence[str] = (),
        limits: SocketLimits | None = None,
        places: Places | None = None,
    ) -> None:
        self._name, self._app = name, app
        self._limits = limits or SocketLimits()
        self._hellos = Frames([Hello], self._limits.frame_bytes)
        self._frames = Frames([Ping, *frames], self._limits.frame_bytes)
        self._origins = Origins(origins)
        self._places = places or Places(store, name, self._limits.per_user)
        self._open: dict[str, Socket] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._active = metrics.websocket_connections.labels(name)
        self._sent = metrics.websocket_sent.labels(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._origins.allow(scope):
            metrics.websocket_closed.labels(self._name, "origin").inc()
            await send({"type": "websocket.close", "code": POLICY})  # before it was accepted: an answer 403
            return
        await receive()
        await send({"type": "websocket.accept"})
        socket = Socket(secrets.token_hex(8), send, self._limits)
        begun = asyncio.get_running_loop().time()
        self._active.inc()
        code = 1006
        try:
            code = await self._attend(socket, scope, receive)
        except asyncio.CancelledError:
            if not socket.hung_up:
                raise
        finally:
            self._active.dec()
            await self._see_off(socket, socket.close_code or code)
            self._account(scope, socket, socket.close_code or code, asyncio.get_running_loop().time() - begun)

    # -- one socket --------------------------------------------------------------------------------------------------------

    async def _attend(self, socket: Socket, scope: Scope, receive: Receive) -> int:
        """The whole life of a socket after the handshake; returns the code that it ended with."""
        hello = await self._let_in(socket, scope, receive)
        if hello is None:
            return await _until_gone(receive)
        self._open[socket.id] = socket
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())
        await self._do(socket, None, self._app.enter(socket, hello))
        del hello  # its token is long, and the socket may idle for days
        refused = 0
        while (message := await receive())["type"] == "websocket.receive":
            refused += not await self._take(socket, message)
            if refused >= self._limits.bad_frames:
                socket.close(POLICY, "too many frames were refused")
                return await _until_gone(receive)
        return int(message.get("code") or 1005)

    async def _let_in(self, socket: Socket, scope: Scope, receive: Receive) -> Hello | None:
        """The hello of somebody who may come in; None: told why not, and closed."""
        try:
            async with asyncio.timeout(self._limits.hello_seconds):
                hello = _ticket_in(scope) or await self._hello(receive)
                socket.user_id = await self._app.admit(hello, scope)
        except TimeoutError:
            self._turn_away(socket, HelloMissing(), LATE)
            return None
        except HutongError as error:
            self._turn_away(socket, error, UNKNOWN)
            return None
        if not await self._places.take(socket.user_id, socket.id):
            socket.user_id = 0
            self._turn_away(socket, TooManySockets(), TOO_MANY)
            return None
        return hello

    async def _hello(self, receive: Receive) -> Hello:
        message = await receive()
        if message["type"] != "websocket.receive":
            raise HelloMissing
        hello = self._hellos.parse(_content(message))
        assert isinstance(hello, Hello)
        return hello

    def _turn_away(self, socket: Socket, error: HutongError, code: int) -> None:
        socket.send(error_frame(error))
        socket.close(code, error.code)

    async def _take(self, socket: Socket, message: Message) -> bool:
        """Hand on a frame; returns whether it was one."""
        content = _content(message)
        try:
            frame = self._frames.parse(content)
        except HutongError as error:
            metrics.websocket_frames.labels(self._name, error.code).inc()
            socket.send(error_frame(error, id_of(content)))
            return False
        metrics.websocket_frames.labels(self._name, frame.type).inc()
        if isinstance(frame, Ping):
            socket.send({"type": "pong"} if frame.id is None else {"type": "pong", "id": frame.id})
        else:
            await self._do(socket, frame.id, self._app.receive(socket, frame))
        return True

    async def _do(self, socket: Socket, answers: str | None, work: Coroutine[Any, Any, None]) -> None:
        """What the app does; its errors are told, its defects logged and told without a word about them."""
        try:
            await work
        except HutongError as error:
            socket.send(error_frame(error, answers))
        except Exception:
            _log.exception("a frame failed", app=self._name)
            socket.send(error_frame(unexpected(), answers))

    async def _see_off(self, socket: Socket, code: int) -> None:
        self._open.pop(socket.id, None)
        await socket.finish()
        if not socket.user_id:
            return
        await self._places.leave(socket.user_id, socket.id)
        await self._do(socket, None, self._app.leave(socket))

    def _account(self, scope: Scope, socket: Socket, code: int, seconds: float) -> None:
        metrics.websocket_closed.labels(self._name, str(code)).inc()
        self._sent.inc(socket.sent)
        state: Mapping[str, Any] = scope.get("state") or {}
        _access.info(
            "socket",
            app=self._name,
            ip=state.get("address"),
            user_id=socket.user_id or None,
            path=scope["path"],
            code=code,
            sent=socket.sent,
            duration=round(seconds, 3),
            request_id=state.get("request_id"),
        )

    # -- all of them -------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Find slow clients and users who may not stay, and keep places, as long as there are sockets."""
        loop = asyncio.get_running_loop()
        renewed = rechecked = loop.time()
        while self._open:
            await asyncio.sleep(min(TICK_SECONDS, self._limits.slow_seconds / 4))
            now = loop.time()
            for socket in tuple(self._open.values()):
                if socket.sending_since is not None and now - socket.sending_since > self._limits.slow_seconds:
                    socket.close_slow()
            if now - renewed > self._places.lease_seconds / 3:
                renewed = now
                await self._upkeep(self._places.renew())
            if now - rechecked > self._limits.recheck_seconds:
                rechecked = now
                await self._upkeep(self._recheck())
        self._ticking = None

    async def _upkeep(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # the next time it may work; nobody is sent away because a database is
            _log.warning("sockets could not be looked after", error=repr(error))

    async def _recheck(self) -> None:
        for socket in tuple(self._open.values()):
            if not socket.closed and not await self._app.stays(socket):
                self._turn_away(socket, Unauthenticated(), UNKNOWN)


def _content(message: Message) -> str | bytes:
    text = message.get("text")
    return text if text is not None else message.get("bytes") or b""


def _ticket_in(scope: Scope) -> Hello | None:
    """A ticket in the URL stands for the first frame."""
    tickets = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket", [])
    return Hello(type="hello", ticket=tickets[0][:128]) if len(tickets) == 1 else None


async def _until_gone(receive: Receive) -> int:
    """Read on until the client has closed, too; the server gives it ten seconds."""
    while (message := await receive())["type"] == "websocket.receive":
        pass
    return int(message.get("code") or 1005)
