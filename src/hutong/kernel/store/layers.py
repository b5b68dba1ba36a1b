"""Copies in two layers: this process's memory over the store, true across processes.

Memory answers only if the store still holds the very copy that it came from: each begins with 16 random bytes, and those are
asked for, not the whole. A change that any process makes drops the store's copy (`Copies.forget`), and with it everybody's.
"""

import secrets
from collections import OrderedDict

from hutong.kernel.store.client import Store, StoreUnavailable
from hutong.kernel.store.copies import Copies

STAMP = 16


class LayeredCopies:
    """Copies of one kind, one for each subject. Without the store there are none, and nothing else changes.

    Args:
        store: keeps them, and decides what is still true.
        name: of the kind, as in `conversations`; the key is `conversations:{42}`.
        seconds: that a copy is kept.
        most: copies in this process's memory; the one that was not asked for longest goes first.
    """

    def __init__(self, store: Store, name: str, seconds: float, most: int) -> None:
        self._store, self._copies, self._most = store, Copies(store, name, seconds), most
        self._memory: OrderedDict[int, bytes] = OrderedDict()

    def __len__(self) -> int:
        """Copies in this process's memory."""
        return len(self._memory)

    async def find(self, subject: int) -> bytes | None:
        """The copy, if there is one."""
        held = self._memory.get(subject)
        if held is not None and await self._is_true(subject, held):
            self._memory.move_to_end(subject)
            return held[STAMP:]
        stored = await self._copies.find(subject)
        if stored is None or len(stored) < STAMP:
            self._memory.pop(subject, None)
            return None
        self._hold(subject, stored)
        return stored[STAMP:]

    async def keep(self, subject: int, content: bytes) -> None:
        """Keep a copy, unless there is one or the subject changed a moment ago."""
        await self._copies.keep(subject, secrets.token_bytes(STAMP) + content)

    async def forget(self, subject: int) -> None:
        """Drop the copy everywhere, after what it tells has changed."""
        self._memory.pop(subject, None)
        await self._copies.forget(subject)

    async def _is_true(self, subject: int, held: bytes) -> bool:
        try:
            stamp = await self._store.call("GETRANGE", self._copies.key(subject), 0, STAMP - 1)
        except StoreUnavailable:
            return False
        return bool(stamp == held[:STAMP])

    def _hold(self, subject: int, stored: bytes) -> None:
        self._memory[subject] = stored
        self._memory.move_to_end(subject)
        while len(self._memory) > self._most:
            self._memory.popitem(last=False)
