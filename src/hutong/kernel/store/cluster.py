"""The lane to a cluster: each command goes to the master of its key's slot, and on to where that one points.

Sources: the Redis cluster specification, "Key distribution model" and "Redirection and resharding"; ADR 0012.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any

import hiredis

from hutong.kernel.store.address import Address, Node
from hutong.kernel.store.pipe import ANSWER_SECONDS, LOST, Argument, HotLane
from hutong.kernel.store.topology import SLOTS, Topology

POINTERS = ("MOVED ", "ASK ", "TRYAGAIN")
PAUSES = (0.0, 0.0, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Seconds before each new try: a slot that moved costs none, one whose keys are just on their way a few milliseconds."""
KEY_AT = {"EVAL": 3, "EVALSHA": 3, "XGROUP": 2, "XINFO": 2}
"""Where the first key stands in a command; behind its name in all others."""


class ClusterLane:
    """A `HotLane` to each master.

    Args:
        address: how to sign on to the nodes.
        topology: who serves which slot.
    """

    def __init__(self, address: Address, topology: Topology) -> None:
        self._address = address
        self._topology = topology
        self._lanes: dict[Node, HotLane] = {}

    async def call(self, *command: Argument, seconds: float = ANSWER_SECONDS) -> Any:
        """See `Lane`. What a node may have carried out is never sent again: a broken connection is an error."""
        slot = slot_of(key_of(command))
        node = await self._topology.owner(slot)
        try:
            return await self._call(node, command, seconds)
        except hiredis.ReplyError as error:
            if not str(error).startswith(POINTERS):
                raise
            async with asyncio.timeout(seconds):
                return await self._follow(str(error), node, slot, command, seconds)

    async def ping(self) -> None:
        """See `Lane`: each master answers and calls the cluster whole."""
        masters = await self._topology.masters()
        answers = await asyncio.gather(*(self._call(node, ("CLUSTER", "INFO"), ANSWER_SECONDS) for node in masters))
        if not all(b"cluster_state:ok" in answer for answer in answers):
            self._topology.doubt()
            raise ConnectionError("the store's cluster is not whole")

    def close(self) -> None:
        """See `Lane`."""
        for lane in self._lanes.values():
            lane.close()

    async def _follow(self, pointer: str, node: Node, slot: int, command: Sequence[Argument], seconds: float) -> Any:
        """Go where the nodes point to until one of them carries the command out, or the caller's time is over."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            if pause:
                await asyncio.sleep(pause)
            try:
                if pointer.startswith("ASK "):  # for this once: the slot stays with its owner until all keys have moved
                    return await self._lane(target(pointer, node)).call_asking(*command, seconds=seconds)
                if pointer.startswith("MOVED "):
                    self._topology.moved(slot, target(pointer, node))
                node = await self._topology.owner(slot)
                return await self._call(node, command, seconds)
            except hiredis.ReplyError as error:
                if not str(error).startswith(POINTERS):
                    raise
                pointer = str(error)
        raise AssertionError("the pauses have no end")

    async def _call(self, node: Node, command: Sequence[Argument], seconds: float) -> Any:
        try:
            return await self._lane(node).call(*command, seconds=seconds)
        except hiredis.ReplyError as error:
            if str(error).startswith("CLUSTERDOWN"):
                self._topology.doubt()
            raise
        except LOST:
            self._topology.doubt()
            raise

    def _lane(self, node: Node) -> HotLane:
        lane = self._lanes.get(node)
        if lane is None:
            lane = self._lanes[node] = HotLane(partial(self._address.open_pipe, node))
        return lane


def key_of(command: Sequence[Argument]) -> bytes:
    """The first key of a command; all others must lie in the same slot.

    Raises:
        ValueError: it has none, so that no node is the right one.
    """
    name = str(command[0])
    at = command.index("STREAMS") + 1 if name == "XREADGROUP" else KEY_AT.get(name, 1)
    if len(command) <= at:
        raise ValueError(f"{name} names no key, and a cluster has no other way to find its node")
    key = command[at]
    return key if isinstance(key, bytes) else str(key).encode()


def slot_of(key: bytes) -> int:
    """The slot of a key: of what stands between its first braces, if something does, or else of the whole key."""
    _, brace, behind = key.partition(b"{")
    tag, closing, _ = behind.partition(b"}")
    return crc_hqx(tag if brace and closing and tag else key, 0) % SLOTS


def target(pointer: str, told_by: Node) -> Node:
    """The node in `MOVED 3999 host:port` or `ASK 3999 host:port`; without a host, that of the node that says so."""
    host, _, port = pointer.split(" ")[2].rpartition(":")
    return Node(host.strip("[]") or told_by.host, int(port))
