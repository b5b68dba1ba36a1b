"""Feeds: what all tabs of one user hear, whichever process serves them.

Nothing is kept: who does not listen does not hear. A subscriber that may have missed something is told so, and asks again.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hutong.kernel.store import Listener, Store, StoreUnavailable

LONGEST = 100
LARGEST = 64 * 1024
BEGIN_SECONDS = 2.0


class Feed:
    """What one subscriber hears of a topic, in order. `None` stands for events that were missed: read the state again.

    Args:
        longest: events that wait at most; one who lets more wait misses all of them.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._events: deque[bytes | None] = deque()
        self._there, self._begun = asyncio.Event(), asyncio.Event()
        self._subscribed = False

    def begin(self) -> None:
        """See `Listener`: if the subscriber counted on hearing already, something may have been missed."""
        if self._subscribed:
            self._miss()
        self._begun.set()

    def hear(self, message: bytes) -> None:
        """See `Listener`."""
        if len(self._events) >= self._longest:
            self._miss()
            return
        self._events.append(message)
        self._there.set()

    async def subscribed(self) -> None:
        """Wait until everything is heard, for two seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                await self._begun.wait()
        self._subscribed = True

    async def get(self) -> bytes | None:
        """The next event; waits for it."""
        await self._there.wait()
        event = self._events.popleft()
        if not self._events:
            self._there.clear()
        return event

    def _miss(self) -> None:
        self._events.clear()
        self._events.append(None)
        self._there.set()

    def __aiter__(self) -> "Feed":
        return self

    async def __anext__(self) -> bytes | None:
        return await self.get()


class Feeds:
    """Feeds of one app. All subscriptions of a process share one connection to the store.

    Args:
        store: carries the events.
        name: of the feeds, as in `chat.users`; a topic is heard under this name only.
    """

    def __init__(self, store: Store, name: str = "feeds") -> None:
        self._store, self._name = store, name
        self._here: dict[str, list[Listener]] = {}

    async def publish(self, topic: str, event: bytes) -> bool:
        """Let everybody hear an event who subscribes now, on every process; the own one too.

        Without a store only this process hears it; returns False then.

        Raises:
            ValueError: it is larger than 64 KiB: publish what to read, not the thing itself.
        """
        if len(event) > LARGEST:
            raise ValueError(f"an event of {len(event)} bytes")
        try:
            await self._store.publish(self._channel(topic), event)
        except StoreUnavailable:
            for listener in tuple(self._here.get(topic, ())):
                listener.hear(event)
            return False
        return True

    @asynccontextmanager
    async def subscribe(self, topic: str, longest: int = LONGEST) -> AsyncIterator[Feed]:
        """Hear a topic. Never fails: without a store, only what this process publishes is heard."""
        feed = Feed(longest)
        self.attach(topic, feed)
        try:
            await feed.subscribed()
            yield feed
        finally:
            self.detach(topic, feed)

    def attach(self, topic: str, listener: Listener) -> None:
        """Let a listener hear a topic until `detach`; for many listeners that are called instead of waiting."""
        self._here.setdefault(topic, []).append(listener)
        self._store.listen(self._channel(topic), listener)

    def detach(self, topic: str, listener: Listener) -> None:
        """The end of `attach`."""
        self._store.ignore(self._channel(topic), listener)
        listeners = self._here.get(topic, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._here.pop(topic, None)

    def _channel(self, topic: str) -> str:
        return f"hutong:feed:{self._name}:{topic}"
