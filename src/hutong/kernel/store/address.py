"""Where a store listens: one node, or some nodes of a cluster, parsed from the setting's URL."""

import asyncio
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from hutong.kernel.store.pipe import Pipe

CONNECT_SECONDS = 2.0
PORT = 6379
P = TypeVar("P", bound=Pipe)
SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster", "unix")


class Node(NamedTuple):
    """One server of TCP; its host is a name or a number, IPv6 without brackets."""

    host: str
    port: int = PORT

    @classmethod
    def parse(cls, text: str) -> "Node":
        """From `host`, `host:port` or `[address]:port`.

        Raises:
            ValueError: there is no host, or the port is not a number from 1 to 65535.
        """
        parts = urlsplit(f"//{text}")
        if not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ValueError("each node of a store is host:port")
        try:
            port = PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if not port:
            raise ValueError("a store's port is a number from 1 to 65535")
        return cls(parts.hostname, port)


@dataclass(frozen=True, slots=True)
class Address:
    """What a store's URL says.

    Args:
        nodes: where to begin; one for a single server, any of its nodes for a cluster; none for a unix socket.
        path: of the unix socket; empty for TCP.
        username, password: the same on every node.
        database: number; always 0 on a cluster.
        secure: TLS.
        cluster: `nodes` belong to a cluster.
    """

    nodes: tuple[Node, ...] = ()
    path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    secure: bool = False
    cluster: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """From `redis://`, `rediss://`, `redis+cluster://`, `rediss+cluster://` or `unix://`.

        Raises:
            ValueError: the URL is none of these; the message says what is wrong and shows nothing of the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"a store URL begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = (unquote(part) for part in credentials.partition(":"))
        if parts.scheme == "unix":
            return cls((), parts.path, username, password, _number(parse_qs(parts.query).get("db", ["0"])[0]))
        nodes = tuple(Node.parse(host or "127.0.0.1") for host in hosts.split(","))
        secure, cluster = parts.scheme.startswith("rediss"), parts.scheme.endswith("+cluster")
        return cls(nodes, "", username, password, _database(parts, nodes, cluster), secure, cluster)

    async def open_pipe(self, node: Node | None = None) -> Pipe:
        """A new pipe, authenticated and on the right database; raises as `open_one` does."""
        return await self.open_one(Pipe, node)

    async def open_one(self, make: Callable[[], P], node: Node | None = None) -> P:
        """A new pipe of some kind, authenticated and on the right database.

        Args:
            make: makes it, unconnected.
            node: of the cluster; left out: the single server.

        Raises:
            OSError, TimeoutError: nobody answers within two seconds.
            hiredis.ReplyError: the server refuses the password or the database.
        """
        async with asyncio.timeout(CONNECT_SECONDS):
            pipe = await self._connect(make, node)
            try:
                await self._sign_on(pipe)
            except BaseException:
                pipe.close()
                raise
        return pipe

    async def _connect(self, make: Callable[[], P], node: Node | None) -> P:
        loop = asyncio.get_running_loop()
        if self.path:
            return (await loop.create_unix_connection(make, self.path))[1]
        host, port = node or self.nodes[0]
        context = tls.create_default_context() if self.secure else None
        return (await loop.create_connection(make, host, port, ssl=context))[1]

    async def _sign_on(self, pipe: Pipe) -> None:
        if self.password:
            await pipe.call("AUTH", *([self.username] if self.username else []), self.password)
        if self.database:
            await pipe.call("SELECT", self.database)


def _database(parts: SplitResult, nodes: tuple[Node, ...], cluster: bool) -> int:
    """The database's number; refuses what only the other kind of store has."""
    path = parts.path.strip("/")
    if not cluster:
        if len(nodes) > 1:
            raise ValueError(f"several nodes are a cluster: {parts.scheme}+cluster://")
        return _number(path or "0")
    if path or parts.query:
        raise ValueError("a cluster's URL ends with its nodes: it has no numbered databases and no options")
    return 0


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("a store's database is a number")
    return int(text)
