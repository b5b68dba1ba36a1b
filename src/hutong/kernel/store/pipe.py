"""One auto-pipelined connection for the few calls that every request makes: 2–8 µs of CPU a call, redis-py 42–91.

Measured in reference/ecosystem.md §1.3. Commands issued in one turn of the event loop leave in one write.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

ConnectionLost = ConnectionError
Argument = str | bytes | int | float


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
            future = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

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
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type]
        return future

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class HotLane:
    """A `Pipe` that connects on first use and again after it broke.

    A store that was silent is left alone for a moment: every request asks it several times, and would wait each time.

    Args:
        connect: opens a new authenticated `Pipe`.
        timeout: seconds after which a call counts as lost and the connection is dropped.
        rest: seconds for which calls fail at once after one was lost so; then one call tries, and the others do not
            wait for it.
    """

    def __init__(self, connect: Callable[[], Any], timeout: float = 2.0, rest: float = 1.0) -> None:
        self._connect = connect
        self._timeout = timeout
        self._rest = rest
        self._resting_until = 0.0
        self._pipe: Pipe | None = None
        self._opening: asyncio.Task[Pipe] | None = None

    async def call(self, *command: Argument) -> Any:
        """One command and its reply.

        Raises:
            ConnectionError, TimeoutError: the store did not answer.
            hiredis.ReplyError: the store refused the command.
        """
        now = asyncio.get_running_loop().time()
        if now < self._resting_until:
            raise ConnectionLost("the store was silent a moment ago")
        if self._resting_until:
            self._resting_until = now + self._timeout + self._rest
        try:
            reply = await self._ask(*command)
        except TimeoutError:
            self._be_patient()
            raise
        except hiredis.ReplyError:
            self._resting_until = 0.0
            raise
        self._resting_until = 0.0
        return reply

    async def _ask(self, *command: Argument) -> Any:
        pipe = self._pipe
        if pipe is None or not pipe.open:
            pipe = await self._reopen()
        future = pipe.call(*command)
        handle = future.get_loop().call_later(self._timeout, self._give_up, pipe)
        try:
            return await future
        finally:
            handle.cancel()

    def _give_up(self, pipe: Pipe) -> None:
        """A reply is overdue: replies come in order, so nothing behind it will come either."""
        self._be_patient()
        pipe.close()

    def _be_patient(self) -> None:
        self._resting_until = asyncio.get_running_loop().time() + self._rest

    async def _reopen(self) -> Pipe:
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._connect())
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def _opened(self, task: "asyncio.Task[Pipe]") -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._pipe = task.result()

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
