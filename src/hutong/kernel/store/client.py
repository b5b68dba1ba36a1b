"""The port: what Hutong asks of a store, in Redis 6.2 commands.

Every call fails as `StoreUnavailable` when the store does not answer. Keys of one operation share a hash tag.
"""

import asyncio
import hashlib
import ssl as tls
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
import redis.asyncio as redis
from redis.exceptions import RedisError

from hutong.kernel.observability import metrics
from hutong.kernel.store.pipe import Argument, HotLane, Pipe
from hutong.kit.errors import Unavailable

CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 5.0
"""Longer than any blocking read: a connection that is silent for so long is dead, whatever TCP believes."""
_AWAY = ("LOADING", "READONLY", "MISCONF", "OOM", "MASTERDOWN", "CLUSTERDOWN", "BUSY ", "NOAUTH", "WRONGPASS")
"""Replies of a store that is there but cannot serve."""
_LOST = (OSError, TimeoutError, hiredis.HiredisError, RedisError)


class StoreUnavailable(Unavailable):
    """The store does not answer; try again shortly."""

    code = "store.unavailable"


@dataclass(frozen=True)
class Script:
    """A Lua script, sent once and then called by its hash."""

    name: str
    source: str

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store listens, parsed from its URL."""

    host: str = ""
    port: int = 6379
    path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """From `redis://`, `rediss://` or `unix://`.

        Raises:
            ValueError: another scheme.
        """
        parts = urlsplit(url)
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "unix":
            database = int(parse_qs(parts.query).get("db", ["0"])[0])
            return cls(path=parts.path, username=username, password=password, database=database)
        if parts.scheme not in {"redis", "rediss"}:
            raise ValueError(f"a store URL starts with redis://, rediss:// or unix://, not {parts.scheme}://")
        database = int(parts.path.strip("/") or 0)
        host, port = parts.hostname or "127.0.0.1", parts.port or 6379
        return cls(host, port, "", username, password, database, secure=parts.scheme == "rediss")

    async def open_pipe(self) -> Pipe:
        """A new pipe, authenticated and on the right database."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            if self.path:
                _, pipe = await loop.create_unix_connection(Pipe, self.path)
            else:
                context = tls.create_default_context() if self.secure else None
                _, pipe = await loop.create_connection(Pipe, self.host, self.port, ssl=context)
            if self.password:
                await pipe.call("AUTH", *([self.username] if self.username else []), self.password)
            if self.database:
                await pipe.call("SELECT", self.database)
        return pipe


class Store:
    """One Redis or Valkey.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `rediss://…` or `unix:///path?db=0`.
    """

    def __init__(self, url: str) -> None:
        self._redis: redis.Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=SILENCE_SECONDS,
            health_check_interval=15,
            max_connections=64,
        )
        self._lane = HotLane(Address.parse(url).open_pipe)

    async def call(self, *command: Argument) -> Any:
        """One command on the hot lane; its reply as bytes, int, list or None."""
        try:
            return await self._lane.call(*command)
        except hiredis.ReplyError as error:
            if str(error).startswith(_AWAY):
                raise self._lost(str(command[0]), error) from error
            raise
        except _LOST as error:
            raise self._lost(str(command[0]), error) from error

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script atomically; all keys must share one hash tag."""
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.call("EVAL", script.source, len(keys), *keys, *args)

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self.call("GET", key)
        return value

    async def put(self, key: str, value: str | bytes, *, seconds: float) -> None:
        """Keep `value` for so long."""
        await self.call("SET", key, value, "PX", int(seconds * 1000))

    async def put_if_absent(self, key: str, value: str | bytes, *, seconds: float) -> bool:
        """Keep `value` for so long unless the key holds something. Returns whether it was kept."""
        return await self.call("SET", key, value, "NX", "PX", int(seconds * 1000)) is not None

    async def remove(self, *keys: str) -> None:
        """Forget keys, one command each so that they may live on different nodes."""
        await asyncio.gather(*(self.call("DEL", key) for key in keys))

    async def ping(self) -> None:
        await self.call("PING")

    async def append(self, stream: str, fields: Mapping[str, str]) -> None:
        """Add one entry to a stream."""
        await self.call("XADD", stream, "*", *(part for pair in fields.items() for part in pair))

    async def read_group(
        self, stream: str, group: str, consumer: str, *, count: int, block_ms: int
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """New entries of a stream for one consumer of a group; makes the group if it is missing.

        Waits up to `block_ms` on a connection of its own, so it never holds up the hot lane.
        """
        try:
            reply: Any = await self._redis.xreadgroup(group, consumer, {stream: ">"}, count=count, block=block_ms)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise self._lost("XREADGROUP", error) from error
            await self.make_group(stream, group)
            return []
        except _LOST as error:
            raise self._lost("XREADGROUP", error) from error
        return [entry for _, entries in reply or [] for entry in entries]

    async def make_group(self, stream: str, group: str) -> None:
        """Make a consumer group that starts at the stream's beginning; one that exists is left alone."""
        try:
            await self._redis.xgroup_create(stream, group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise self._lost("XGROUP", error) from error
        except _LOST as error:
            raise self._lost("XGROUP", error) from error

    async def finish(self, stream: str, group: str, entries: Sequence[bytes]) -> None:
        """Acknowledge entries and take them out of the stream, so that it never grows."""
        if entries:
            await asyncio.gather(self.call("XACK", stream, group, *entries), self.call("XDEL", stream, *entries))

    async def close(self) -> None:
        self._lane.close()
        await self._redis.aclose()

    @staticmethod
    def _lost(command: str, error: BaseException) -> StoreUnavailable:
        metrics.store_failures.labels(command).inc()
        return StoreUnavailable(f"the store does not answer ({type(error).__name__})", retry_after=1)


def open_store(url: str) -> Store:
    """The store at `url`; nothing connects until the first use."""
    return Store(url)
