"""What other processes say on channels: one connection for all the listeners of a process.

Nothing is kept for whoever does not listen at that moment, so each listener is told when its hearing begins (again).
On a cluster every node hears what is published at any other (Redis cluster specification, "Pub/Sub").
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import hiredis

from hutong.kernel.observability.logs import logger
from hutong.kernel.store.pipe import ANSWER_SECONDS, LOST, Argument, Pipe
from hutong.kit.tasks import end

ALIVE_SECONDS = 5.0
"""Silence after which the store is asked whether it is still there."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
_log = logger("store.subscriptions")


class Listener(Protocol):
    """Somebody who hears a channel. Both are called by the connection and must not wait."""

    def begin(self) -> None:
        """From now on everything is heard; what was said before may have been missed. Again after each interruption."""
        ...

    def hear(self, message: bytes) -> None:
        """Something was said."""
        ...


class Tap(Pipe):
    """A connection that is told what to listen to and hands on what it hears.

    Args:
        heard: takes each reply; those of the sign-on excepted.
    """

    def __init__(self, heard: Callable[[Any], None]) -> None:
        super().__init__()
        self._heard = heard
        self.ended = asyncio.Event()
        self.count = 0

    def tell(self, *command: Argument) -> None:
        """Send a command; its reply is heard like all the others."""
        if self.open:
            self._put(command)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()

    def _unasked(self, reply: Any) -> None:
        self.count += 1
        self._heard(reply)


class Subscriptions:
    """All that one process listens to. It connects with the first listener, and again whenever the connection is lost.

    Args:
        open_tap: opens an authenticated connection, to any node of a cluster.
    """

    def __init__(self, open_tap: Callable[[Callable[[], Tap]], Awaitable[Tap]]) -> None:
        self._open_tap = open_tap
        self._listeners: dict[bytes, list[Listener]] = {}
        self._heard_now: set[bytes] = set()
        self._tap: Tap | None = None
        self._running: asyncio.Task[None] | None = None

    def add(self, channel: str, listener: Listener) -> None:
        """Let `listener` hear a channel; `begin` tells it from when on, which may be at once."""
        name = channel.encode()
        others = self._listeners.setdefault(name, [])
        others.append(listener)
        if name in self._heard_now:
            listener.begin()
        elif len(others) == 1 and self._tap is not None:
            self._tap.tell("SUBSCRIBE", name)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    def remove(self, channel: str, listener: Listener) -> None:
        """The listener has heard enough; without it, nothing happens."""
        name = channel.encode()
        others = self._listeners.get(name, [])
        if listener not in others:
            return
        others.remove(listener)
        if others:
            return
        del self._listeners[name]
        self._heard_now.discard(name)
        if self._tap is not None:
            self._tap.tell("UNSUBSCRIBE", name)

    async def close(self) -> None:
        """Stop listening."""
        running, self._running = self._running, None
        await end(running)

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen()
                pause = FIRST_PAUSE
            except LOST as error:
                _log.debug("no channel is heard", error=repr(error))
                pause = min(pause * 2, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        """Listen until the connection is lost."""
        tap = await self._open_tap(lambda: Tap(self._hear))
        try:
            self._tap = tap
            if self._listeners:
                tap.tell("SUBSCRIBE", *self._listeners)
            await self._watch(tap)
        finally:
            self._tap = None
            self._heard_now.clear()
            tap.close()

    async def _watch(self, tap: Tap) -> None:
        """Return when the connection ends, or answers nothing any more."""
        while not await _set_within(tap.ended, ALIVE_SECONDS):
            count = tap.count
            tap.tell("PING")
            if await _set_within(tap.ended, ANSWER_SECONDS) or tap.count == count:
                return

    def _hear(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            _log.warning("the store refuses to let channels be heard", error=str(reply))
            if self._tap is not None:
                self._tap.close()
        elif isinstance(reply, list) and len(reply) == 3:
            self._take(*reply)

    def _take(self, word: bytes, channel: bytes, content: Any) -> None:
        for listener in tuple(self._listeners.get(channel, ())):
            if word == b"message":
                listener.hear(content)
            elif word == b"subscribe":
                listener.begin()
        if word == b"subscribe" and channel in self._listeners:
            self._heard_now.add(channel)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
