"""One auto-pipelined connection for the few calls that every request makes: 2–8 µs of CPU a call, redis-py 42–91.

Measured in reference/ecosystem.md §1.3. Commands issued in one turn of the event loop leave in one write.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import hiredis

ANSWER_SECONDS = 2.0
REST_SECONDS = 1.0
ConnectionLost = ConnectionError
Argument = str | bytes | int | float
LOST = (OSError, TimeoutError, hiredis.HiredisError)
"""What a call raises when there is no answer; a refusal (`hiredis.ReplyError`) is one of them."""


class Lane(Protocol):
    """A way to a store, whatever it consists of."""

    async def call(self, *command: Argument, seconds: float = ANSWER_SECONDS) -> Any:
        """One command and its reply as bytes, int, list or None.

        Args:
            command: its words; its first key decides where it goes.
            seconds: until a connection whose answer is missing is dropped.

        Raises:
            OSError, TimeoutError: the store did not answer.
            hiredis.ReplyError: the store refused the command.
        """

    async def ping(self) -> None:
        """Return if every part of the store can serve; raises as `call` does."""

    def close(self) -> None:
        """Let go of the connections."""


class Pipe(asyncio.Protocol):
    """The wire of one connection: requests out in order, replies back in the same order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._outgoing: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not inherit from asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        error = ConnectionLost(f"the store closed the connection: {exc}")
        while self._waiting:
            if not (future := self._waiting.popleft()).done():
                future.set_exception(error)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if not self._waiting:
                self._unasked(reply)
                if not self.open:
                    return
                continue
            future = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def _unasked(self, reply: Any) -> None:
        """Nobody waits for this: a farewell, as in "max number of clients reached"."""
        self.close()

    def call(self, *command: Argument) -> "asyncio.Future[Any]":
        """Send one command; its reply as bytes, int, list or None.

        Raises (through the future):
            ConnectionLost: the connection broke before the reply came.
            hiredis.ReplyError: the store refused the command.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self.open:
            future.set_exception(ConnectionLost("the store is not connected"))
            return future
        self._waiting.append(future)
        self._put(command)
        return future

    def _put(self, command: tuple[Argument, ...]) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type]

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def close(self) -> None:
        """Drop the connection at once: what was not sent yet would wait for a peer that may be gone."""
        if self._transport is not None:
            self._transport.abort()


class HotLane:
    """A `Pipe` that connects on first use and again after it broke.

    A server that lets calls wait until their time is over is left alone for a moment, in which calls fail at once: every
    request asks the store several times, and would wait each time. Then one call tries, and the others do not wait for it.

    Args:
        connect: opens a new authenticated `Pipe`.
        rest: seconds for which a silent server is left alone.
    """

    def __init__(self, connect: Callable[[], Awaitable[Pipe]], rest: float = REST_SECONDS) -> None:
        self._connect, self._rest = connect, rest
        self._pipe: Pipe | None = None
        self._opening: asyncio.Future[Pipe] | None = None
        self._resting_until = 0.0

    async def call(self, *command: Argument, seconds: float = ANSWER_SECONDS) -> Any:
        """See `Lane`."""
        return await self._ask(lambda pipe: pipe.call(*command), seconds)

    async def call_asking(self, *command: Argument, seconds: float = ANSWER_SECONDS) -> Any:
        """`call`, right after ASKING, which lets a node serve a slot that is being moved to it."""
        return (await self._ask(lambda pipe: asyncio.gather(pipe.call("ASKING"), pipe.call(*command)), seconds))[1]

    async def ping(self) -> None:
        """See `Lane`."""
        await self.call("PING")

    async def _ask(self, send: Callable[[Pipe], "asyncio.Future[Any]"], seconds: float) -> Any:
        self._mind_the_rest(seconds)
        try:
            pipe = self._pipe
            if pipe is None or not pipe.open:
                pipe = await self._reopen()
            reply = await self._answer(pipe, send(pipe), seconds)
        except TimeoutError:
            self._resting_until = time.monotonic() + self._rest
            raise
        except (ConnectionRefusedError, FileNotFoundError, hiredis.ReplyError):
            self._resting_until = 0.0  # whoever refuses does not let anybody wait
            raise
        self._resting_until = 0.0
        return reply

    def _mind_the_rest(self, seconds: float) -> None:
        now = time.monotonic()
        if now < self._resting_until:
            raise ConnectionLost("the store let calls wait a moment ago")
        if self._resting_until:
            self._resting_until = now + seconds + self._rest  # this call tries

    async def _answer(self, pipe: Pipe, reply: "asyncio.Future[Any]", seconds: float) -> Any:
        handle = reply.get_loop().call_later(seconds, self._give_up, pipe)
        try:
            return await reply
        finally:
            handle.cancel()

    def _give_up(self, pipe: Pipe) -> None:
        """A reply is overdue: replies come in order, so nothing behind it will come either."""
        self._resting_until = time.monotonic() + self._rest
        pipe.close()

    async def _reopen(self) -> Pipe:
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._connect())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, opening: "asyncio.Future[Pipe]") -> None:
        wanted = self._opening is opening
        if wanted:
            self._opening = None
        if opening.cancelled() or opening.exception() is not None:
            return
        if wanted:
            self._pipe = opening.result()
        else:  # closed in the same turn of the loop, when there was nothing left to cancel
            opening.result().close()

    def close(self) -> None:
        """See `Lane`."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._pipe is not None:
            self._pipe.close()
