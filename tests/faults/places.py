"""Where rows and the store live: embedded, or private servers that are killed, paused and cut off.

A database or a store is one word on the command line; everything else about it is here.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psutil

from faults.wire import Wire, wired
from support.servers import Server, mariadb, postgres, redis, redis_cluster

DATABASES = ("sqlite", "postgresql", "mariadb")
STORES = ("embedded", "redis", "cluster")


@dataclass
class Place:
    """One database or store.

    Args:
        name: as on the command line.
        url: what Hutong's processes are told; empty for what is embedded in them.
        direct_url: the same server without the wire, for those who look from outside.
        servers: its processes' handles; none when it is embedded.
        wire: the cable that can be cut; none where clients find servers by themselves (a cluster) or embed them.
    """

    name: str
    url: str = ""
    direct_url: str = ""
    servers: Sequence[Server] = field(default_factory=tuple)
    wire: Wire | None = None
    _crashing: set[int] = field(default_factory=set)

    async def kill(self, server: Server) -> None:
        """kill -9 of the server and of all that it started."""
        victims = _family(server)
        for process in victims:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(psutil.wait_procs, victims, 10)

    def is_crashing(self, server: Server) -> bool:
        """Whether the server is on its way down or up at this moment."""
        return id(server) in self._crashing

    async def crash(self, server: Server, down: float = 0.0) -> None:
        """Kill a server and start it again after so many seconds; one crash at a time."""
        self._crashing.add(id(server))
        try:
            await self.kill(server)
            await asyncio.sleep(down)
            await asyncio.to_thread(server.start)
        finally:
            self._crashing.discard(id(server))

    async def pause(self, server: Server, seconds: float) -> None:
        """Stop the server's processes for so long, as a frozen machine does."""
        await paused(_family(server), seconds)


def _family(server: Server) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(server.pid)
        return [parent, *parent.children(recursive=True)]
    return []


async def paused(processes: Sequence[psutil.Process], seconds: float) -> None:
    """SIGSTOP, wait, SIGCONT; processes that end meanwhile are left in peace."""
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        await asyncio.sleep(seconds)
    finally:
        for process in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGCONT)


def _through(url: str, wire: Wire) -> str:
    parts = urlsplit(url)
    name, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{name}{at}127.0.0.1:{wire.port}"))


async def _served(stack: AsyncExitStack, name: str, server: Server, url: str) -> Place:
    wire = await stack.enter_async_context(wired(lambda: [server.port]))
    return Place(name, _through(url, wire), url, (server,), wire)


@asynccontextmanager
async def database_place(name: str) -> AsyncIterator[Place]:
    """A database with the settings of production, fsync included; empty."""
    async with AsyncExitStack() as stack:
        if name == "sqlite":
            yield Place(name)
        elif name == "postgresql":
            pg = stack.enter_context(postgres(durable=True))
            yield await _served(stack, name, pg, pg.create_database("faults"))
        else:
            maria = stack.enter_context(mariadb(durable=True))
            yield await _served(stack, name, maria, maria.create_database("faults"))


@asynccontextmanager
async def store_place(name: str) -> AsyncIterator[Place]:
    """A store, empty. It is never the record, so that its disk does not matter."""
    async with AsyncExitStack() as stack:
        if name == "embedded":
            yield Place(name)
        elif name == "redis":
            server = stack.enter_context(redis())
            yield await _served(stack, name, server, server.url)
        else:
            cluster = stack.enter_context(redis_cluster())
            yield Place(name, cluster.store_url, cluster.store_url, cluster.nodes)


def environment(database: Place, store: Place) -> Mapping[str, str]:
    """What Hutong's processes are told about both."""
    urls = {"HUTONG_DATABASE_URL": database.url, "HUTONG_STORE_URL": store.url}
    return {name: url for name, url in urls.items() if url}
