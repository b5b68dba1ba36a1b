"""A cable between processes and a server that can be cut or go silent; with several servers behind it, a balancer."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

HOST = "127.0.0.1"


class End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at the other end."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None and not self._wire.silent:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Near(End):
    """The end towards a client: finds a server when it connects, and reads nothing before."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._wire.is_cut:
            cast(asyncio.Transport, transport).abort()
            return
        self._wire.connections.add(self)
        cast(asyncio.Transport, transport).pause_reading()
        self._wire.keep(asyncio.ensure_future(self._join()))

    async def _join(self) -> None:
        far = await self._wire.far_end()
        if self.transport is None or far is None:
            for end in (self, far):
                if end is not None and end.transport is not None:
                    end.transport.abort()
            return
        self.other, far.other = far, self
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.connections.discard(self)
        super().connection_lost(exc)


class Wire:
    """Listens on `port` and leads to one of `targets`, whichever takes the connection."""

    def __init__(self, targets: Callable[[], Sequence[int]]) -> None:
        """`targets` names the ports of the servers, asked anew for each connection."""
        self._targets = targets
        self.port = 0
        self.is_cut = False
        self.silent = False
        self.connections: set[Near] = set()
        self._joining: set[asyncio.Future[None]] = set()

    async def far_end(self) -> End | None:
        """A connection to any server that takes one."""
        ports = list(self._targets())
        random.shuffle(ports)
        for port in ports:
            try:
                _, far = await asyncio.get_running_loop().create_connection(lambda: End(self), HOST, port)
            except OSError:
                continue
            return far
        return None

    def keep(self, joining: "asyncio.Future[None]") -> None:
        """Hold on to a connection that is being made."""
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)

    async def cut(self, seconds: float) -> None:
        """Break every connection and refuse new ones for so long."""
        self.is_cut = True
        for near in list(self.connections):
            if near.transport is not None:
                near.transport.abort()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.is_cut = False

    async def mute(self, seconds: float) -> None:
        """Swallow everything for so long, as a partition does; then break what has lost bytes."""
        self.silent = True
        try:
            await asyncio.sleep(seconds)
        finally:
            for near in list(self.connections):
                if near.transport is not None:
                    near.transport.abort()
            self.silent = False


@asynccontextmanager
async def wired(targets: Callable[[], Sequence[int]]) -> AsyncIterator[Wire]:
    """A wire on a free port."""
    wire = Wire(targets)
    server = await asyncio.get_running_loop().create_server(lambda: Near(wire), HOST, 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for near in list(wire.connections):
            if near.transport is not None:
                near.transport.abort()
