"""Which master of a cluster serves which slot, as its nodes tell.

The map is only a hint: a node that does not serve a slot says who does. Source: the Redis cluster specification,
"Redirection and resharding"; CLUSTER SLOTS is what Redis 6.2 has for it (CLUSTER SHARDS came with 7.0).
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any

from hutong.kernel.observability.logs import logger
from hutong.kernel.store.address import Address, Node
from hutong.kernel.store.pipe import ANSWER_SECONDS, LOST

SLOTS = 16384
PAUSE_SECONDS = 1.0
ASKED_AT_ONCE = 3
_log = logger("store.topology")


class Topology:
    """The slot map of one cluster, shared by all of a process's lanes to it.

    Args:
        address: of some of its nodes.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._owners: list[Node | None] = [None] * SLOTS
        self._masters: set[Node] = set()
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    async def owner(self, slot: int) -> Node:
        """The master that serves a slot.

        Raises:
            OSError, TimeoutError, hiredis.ReplyError: no node tells.
        """
        if (node := self._owners[slot]) is None:
            await self._learn()
            node = self._owners[slot]
        if node is None:
            raise ConnectionError(f"no node of the store's cluster serves slot {slot}")
        return node

    async def masters(self) -> Sequence[Node]:
        """All masters that serve slots; raises as `owner` does."""
        if not self._masters:
            await self._learn()
        return sorted(self._masters)

    def moved(self, slot: int, node: Node) -> None:
        """A node said who serves this slot now; probably others moved too."""
        self._owners[slot] = node
        self._masters.add(node)
        self.doubt()

    def doubt(self) -> None:
        """Something is not as the map says: ask anew, in the background, at most once a second."""
        if self._asking is None and not self._asked_lately:
            self._ask()

    def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()

    @property
    def _asked_lately(self) -> bool:
        return time.monotonic() - self._asked_at < PAUSE_SECONDS

    async def _learn(self) -> None:
        if self._asking is None:
            if self._asked_lately:
                raise ConnectionError("no node of the store's cluster answered a moment ago")
            self._ask()
        assert self._asking is not None
        await asyncio.shield(self._asking)

    def _ask(self) -> None:
        self._asking = asyncio.create_task(self._ask_nodes())
        self._asking.add_done_callback(self._answered)

    def _answered(self, asking: "asyncio.Task[None]") -> None:
        self._asking = None
        self._asked_at = time.monotonic()
        if not asking.cancelled() and (error := asking.exception()) is not None:
            _log.warning("no node tells who serves which slot", error=repr(error))

    async def _ask_nodes(self) -> None:
        """Take the map of the first that answers; a few are asked at once, because some may be away."""
        known = random.sample(sorted(self._masters), min(ASKED_AT_ONCE, len(self._masters)))
        seeds = random.sample(self._address.nodes, min(ASKED_AT_ONCE, len(self._address.nodes)))
        asking = [asyncio.create_task(self._ask_node(node)) for node in dict.fromkeys([*known, *seeds])]
        failure: BaseException = ConnectionError()
        try:
            for answer in asyncio.as_completed(asking, timeout=ANSWER_SECONDS):
                try:
                    return self._take(await answer)
                except LOST as error:
                    failure = error
            raise failure
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask_node(self, node: Node) -> dict[tuple[int, int], Node]:
        pipe = await self._address.open_pipe(node)
        try:
            return ranges(await pipe.call("CLUSTER", "SLOTS"), node)
        finally:
            pipe.close()

    def _take(self, found: dict[tuple[int, int], Node]) -> None:
        owners: list[Node | None] = [None] * SLOTS
        for (first, last), node in found.items():
            owners[first : last + 1] = [node] * (last - first + 1)
        self._owners, self._masters = owners, set(found.values())


def ranges(reply: Any, told_by: Node) -> dict[tuple[int, int], Node]:
    """The reply to CLUSTER SLOTS: the master of each range of slots, both ends included.

    A node without a host is the one that was asked (it does not know how it is called from outside); "?" is one whose
    host nobody told yet, so its slots have no master for now.
    """
    found = {}
    for first, last, master, *_replicas in reply:
        host = master[0].decode() if master[0] else told_by.host
        if host != "?":
            found[first, last] = Node(host, master[1])
    if not found:
        raise ConnectionError("the store's cluster has no slots yet")
    return found
