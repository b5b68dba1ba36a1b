"""The port: what Hutong asks of a store, a single node or a cluster, in Redis 6.2 commands.

Every call fails as `StoreUnavailable` when the store does not answer. Keys of one operation share a hash tag.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import hiredis

from hutong.kernel.observability import metrics
from hutong.kernel.store.address import Address
from hutong.kernel.store.cluster import ClusterLane
from hutong.kernel.store.pipe import ANSWER_SECONDS, LOST, Argument, HotLane, Lane
from hutong.kernel.store.subscriptions import Listener, Subscriptions, Tap
from hutong.kernel.store.topology import Topology
from hutong.kit.errors import Unavailable

_AWAY = (
    *("LOADING", "READONLY", "MISCONF", "OOM", "MASTERDOWN", "NOREPLICAS", "BUSY ", "NOAUTH", "WRONGPASS"),
    *(
        "CLUSTERDOWN",
        "MOVED ",
        "ASK ",
        "TRYAGAIN",
        "ERR max number of clients",
        "ERR This instance has cluster support disabled",
    ),
)
"""Replies of a store that is there but cannot serve: not now, or not under this URL."""
_AWAY_INSIDE_SCRIPT = ("-READONLY", "-MISCONF", "-OOM", "-NOREPLICAS")
"""How Redis 6.2 says the same when it notices in the middle of a script."""


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


class Store:
    """One Redis or Valkey, or one cluster of them.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix:///path?db=0`,
            `redis+cluster://[user:password@]host:port,host:port,…` or `rediss+cluster://…`.

    Raises:
        ValueError: the URL is none of these.
    """

    def __init__(self, url: str) -> None:
        self._address = address = Address.parse(url)
        self._topology = Topology(address) if address.cluster else None
        self._open_lane: Callable[[], Lane] = (
            partial(ClusterLane, address, self._topology) if self._topology else partial(HotLane, address.open_pipe)
        )
        self._lane = self._open_lane()
        self._patient: list[Lane] = []
        self._subscriptions = Subscriptions(self._open_tap)

    async def call(self, *command: Argument) -> Any:
        """One command on the hot lane; its reply as bytes, int, list or None.

        Raises:
            StoreUnavailable: the store does not answer, or cannot serve at present.
            hiredis.ReplyError: it refused the command.
        """
        return await self._call(self._lane, command)

    async def _call(self, lane: Lane, command: Sequence[Argument], seconds: float = ANSWER_SECONDS) -> Any:
        try:
            return await lane.call(*command, seconds=seconds)
        except hiredis.ReplyError as error:
            if _is_away(str(error)):
                raise _lost(str(command[0]), error) from error
            raise
        except LOST as error:
            raise _lost(str(command[0]), error) from error

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
        """Ask every part of the store whether it can serve.

        Raises:
            StoreUnavailable: one does not answer, or cannot serve.
        """
        try:
            await self._lane.ping()
        except LOST as error:
            raise _lost("PING", error) from error

    async def append(self, stream: str, fields: Mapping[str, str]) -> None:
        """Add one entry to a stream."""
        await self.call("XADD", stream, "*", *(part for pair in fields.items() for part in pair))

    async def read_group(
        self, stream: str, group: str, consumer: str, *, count: int, block_ms: int
    ) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """New entries of a stream for one consumer of a group; makes the group if it is missing.

        Waits up to `block_ms` on a connection of its own, so it never holds up the hot lane.
        """
        command = ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK", block_ms, "STREAMS", stream, ">")
        try:
            reply = await self._call_patiently(command, block_ms / 1000 + ANSWER_SECONDS)
        except hiredis.ReplyError as error:
            if str(error).startswith("UNBLOCKED"):  # the stream was moved to another node meanwhile
                return []
            if not str(error).startswith("NOGROUP"):
                raise
            await self.make_group(stream, group)
            return []
        return [(entry, _pairs(fields)) for _, entries in reply or [] for entry, fields in entries]

    async def _call_patiently(self, command: Sequence[Argument], seconds: float) -> Any:
        """A command that waits, on a lane that carries nothing else meanwhile; an unfinished one takes its lane with it."""
        lane = self._patient.pop() if self._patient else self._open_lane()
        try:
            reply = await self._call(lane, command, seconds)
        except BaseException:
            lane.close()
            raise
        self._patient.append(lane)
        return reply

    async def make_group(self, stream: str, group: str) -> None:
        """Make a consumer group that starts at the stream's beginning; one that exists is left alone."""
        try:
            await self.call("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
        except hiredis.ReplyError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def finish(self, stream: str, group: str, entries: Sequence[bytes]) -> None:
        """Acknowledge entries and take them out of the stream, so that it never grows."""
        if entries:
            await asyncio.gather(self.call("XACK", stream, group, *entries), self.call("XDEL", stream, *entries))

    async def publish(self, channel: str, message: bytes) -> None:
        """Say something to whoever listens to a channel now, in all processes; nobody else will ever hear it."""
        await self.call("PUBLISH", channel, message)

    def listen(self, channel: str, listener: Listener) -> None:
        """Let `listener` hear a channel until `ignore`. All of a process's listeners share one connection.

        Never fails: while the store is away nothing is heard, and `listener.begin` tells when it is again.
        """
        self._subscriptions.add(channel, listener)

    def ignore(self, channel: str, listener: Listener) -> None:
        """The end of `listen`."""
        self._subscriptions.remove(channel, listener)

    async def _open_tap(self, make: Callable[[], Tap]) -> Tap:
        if self._topology is None:
            return await self._address.open_one(make)
        node = random.choice(await self._topology.masters())
        try:
            return await self._address.open_one(make, node)
        except LOST:
            self._topology.doubt()
            raise

    async def close(self) -> None:
        """Let go of all connections."""
        await self._subscriptions.close()
        if self._topology is not None:
            self._topology.close()
        for lane in (self._lane, *self._patient):
            lane.close()


def open_store(url: str) -> Store:
    """The store at `url`; nothing connects until the first use."""
    return Store(url)


def _is_away(reply: str) -> bool:
    if reply.startswith("ERR Error running script"):
        return any(word in reply for word in _AWAY_INSIDE_SCRIPT)
    return reply.startswith(_AWAY)


def _lost(command: str, error: BaseException) -> StoreUnavailable:
    metrics.store_failures.labels(command).inc()
    if not isinstance(error, hiredis.ReplyError):
        return StoreUnavailable(f"the store does not answer ({type(error).__name__})", retry_after=1)
    if str(error).startswith("MOVED "):
        return StoreUnavailable("the store is a node of a cluster: its URL begins with redis+cluster://", retry_after=1)
    return StoreUnavailable(f"the store cannot serve ({str(error).partition(' ')[0]})", retry_after=1)


def _pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """The fields of a stream entry, which come as one list of names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
