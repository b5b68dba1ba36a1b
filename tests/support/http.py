"""A real HTTP server for a test, in the test's own loop, and a client for it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import uvicorn
from starlette.types import ASGIApp

from hutong.host.processes import WIRE
from hutong.kit.tasks import end

# Not the platform's own client: what is tested is the server, with somebody else's eyes.
Client = aiohttp.ClientSession  # noqa: TID251


def free_listener() -> socket.socket:
    """A socket that listens on a free loopback port, and whose connections send at once.

    asyncio turns Nagle's algorithm off only where the socket names its protocol, which `socket.create_server` leaves out;
    the second half of every answer then waits 40 ms for the client's delayed ACK.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@asynccontextmanager
async def serving(app: ASGIApp, *, lifespan: Literal["on", "off"] = "off") -> AsyncIterator[str]:
    """Serve `app` on a free loopback port; gives its URL, without a slash at the end."""
    with free_listener() as listener:
        port = listener.getsockname()[1]
        async with listening(app, listener, lifespan=lifespan):
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def listening(
    app: ASGIApp, listener: socket.socket, *, lifespan: Literal["on", "off"] = "off", **changed: Any
) -> AsyncIterator[None]:
    """Serve `app` on a socket that listens already, for tests that must know the port before they make the app.

    Served as in production, but for what is `changed` of uvicorn's options.
    """
    config = uvicorn.Config(app, timeout_graceful_shutdown=1, **{**WIRE, "lifespan": lifespan, **changed})
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    started = asyncio.create_task(server.ready.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        started.cancel()
        await task  # raises what kept it from starting
        raise RuntimeError("the server ended before the test began")
    try:
        yield
    finally:
        server.leave.set()
        await task


@asynccontextmanager
async def http_client(seconds: float = 10) -> AsyncIterator[Client]:
    """A client as others would use it: no retries, no cookies, a time-out."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with Client(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


class _Server(uvicorn.Server):
    """A server that says when it is up, leaves when it is told to instead of looking every tenth of a second, and leaves
    the process's signal handlers alone.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        ticking = asyncio.create_task(super().main_loop())
        await self.leave.wait()
        await end(ticking)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but without its pauses, which are a third of the time of most tests."""
        for door in (*self.servers, *(sockets or ())):
            door.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.002)
        await end(*self.server_state.tasks)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
