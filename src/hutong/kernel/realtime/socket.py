"""One open socket: what is sent to it waits in a bounded queue, and a client that does not read is sent away.

An idle socket has no queue and no task of its own. Source: docs/kernel/realtime.md "Sockets".
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any

from starlette.types import Send

from hutong.kernel.realtime.frames import text_of
from hutong.kernel.realtime.socket_limits import SLOW, SocketLimits
from hutong.kit.tasks import end


class SocketClosed(Exception):
    """Nothing can be sent any more; whoever sends stops."""


class Socket:
    """A client's end of a socket.

    Args:
        socket_id: of this socket, for the log and its place.
        send: of ASGI.
        limits: sizes and times.
    """

    __slots__ = (
        "_closing",
        "_gone",
        "_limits",
        "_main",
        "_marks",
        "_queue",
        "_room",
        "_send",
        "_sender",
        "_size",
        "_tasks",
        "id",
        "sending_since",
        "sent",
        "state",
        "user_id",
    )

    def __init__(self, socket_id: str, send: Send, limits: SocketLimits) -> None:
        self.id = socket_id
        self.user_id = 0
        self.state: Any = None  # whatever the app keeps beside it
        self.sent = 0
        self.sending_since: float | None = None
        self._send, self._limits = send, limits
        self._main = asyncio.current_task()
        self._queue: deque[tuple[str, tuple[str, int] | None]] | None = None
        self._size = 0
        self._sender: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._marks: dict[str, int] | None = None
        self._tasks: set[asyncio.Task[Any]] | None = None
        self._closing: tuple[int, str] | None = None
        self._gone = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._gone or self._closing is not None

    @property
    def close_code(self) -> int | None:
        """With which code it was closed from here; None if it was not."""
        return None if self._closing is None else self._closing[0]

    def send(self, frame: Mapping[str, Any] | str, mark: tuple[str, int] | None = None) -> None:
        """Send a frame soon, in order; never waits. For events: a client that lets too many wait is closed with 1013.

        Args:
            frame: or its text.
            mark: stream and number up to which the client has it once this frame has left, for the place to resume.
        """
        if self.closed:
            return
        if self._queue is not None and len(self._queue) >= self._limits.queue_frames:
            self.close_slow()
            return
        self._put(frame if isinstance(frame, str) else text_of(frame), mark)

    async def deliver(self, frame: Mapping[str, Any] | str, mark: tuple[str, int] | None = None) -> None:
        """Send a frame once there is room; for streams, whose reader may be as slow as the client is.

        Raises:
            SocketClosed: it was closed, perhaps because the client did not read for long.
        """
        while self._size >= self._limits.queue_bytes and not self.closed:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()
        if self.closed:
            raise SocketClosed
        self._put(frame if isinstance(frame, str) else text_of(frame), mark)

    def close(self, code: int, reason: str = "") -> None:
        """Close it once what waits has left.

        Args:
            code: of RFC 6455 §7.4, or 4000–4999.
            reason: at most 120 bytes of ASCII.
        """
        if self.closed:
            return
        self._closing = code, reason[:120]
        self._wake_sender()
        self._make_room()

    def close_slow(self) -> None:
        """The client does not read: drop what waits, tell where to resume, and hang up if it does not read even that."""
        if self.closed:
            return
        if self._queue is not None:
            self._queue.clear()
        self.close(SLOW, "too slow; come back and resume")
        asyncio.get_running_loop().call_later(self._limits.close_seconds, self.hang_up)

    def hang_up(self) -> None:
        """End it without a word, if it has not ended by now."""
        if not self._gone and self._main is not None:
            self._gone = True
            self._make_room()
            self._main.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something that ends with the socket."""
        if self._tasks is None:
            self._tasks = set()
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """The client is gone: end what runs for it."""
        self._gone = True
        self._make_room()
        await end(self._sender, *(self._tasks or ()))

    @property
    def hung_up(self) -> bool:
        """Whether `hang_up` ended it."""
        return self._gone

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _put(self, text: str, mark: tuple[str, int] | None) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append((text, mark))
        self._size += len(text)
        self._wake_sender()

    def _wake_sender(self) -> None:
        if self._sender is None:
            self._sender = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """Send what waits; ends when nothing does."""
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                text, mark = self._queue.popleft()
                self.sending_since = loop.time()
                await self._send({"type": "websocket.send", "text": text})
                self.sent += 1
                self._size = self._size - len(text) if self._queue else 0
                if mark is not None:
                    self._mark(*mark)
                self._make_room()
            if self._closing is not None:
                await self._say_goodbye(*self._closing)
        except (OSError, RuntimeError):  # the client is gone, or the server closed it meanwhile
            self._gone = True
            self._make_room()
        finally:
            self._queue, self._sender, self.sending_since = None, None, None
            self._size = 0

    async def _say_goodbye(self, code: int, reason: str) -> None:
        if code == SLOW:  # made only now: what was just being sent when it was closed has arrived since
            resume = self._marks or {}
            text = text_of({"type": "closing", "code": SLOW, "reason": "slow", "resume": resume})
            await self._send({"type": "websocket.send", "text": text})
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def _mark(self, stream: str, seq: int) -> None:
        if self._marks is None:
            self._marks = {}
        self._marks[stream] = seq

    def unmark(self, stream: str) -> None:
        """The stream has ended; there is no place to resume."""
        if self._marks is not None:
            self._marks.pop(stream, None)

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if self._tasks is not None:
            self._tasks.discard(task)
        if not task.cancelled():
            task.exception()
