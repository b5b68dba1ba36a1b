"""WebSocket connections with bounds. uvicorn waits for ever for a client that does not read, and resets one that sends on.

Source: RFC 6455 §7.1.1, §7.1.7; reference/chat.md §3.7 (why this implementation).
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

LINGER_SECONDS = 2.0
LEAVE_SECONDS = 5.0
MOST_FRAGMENTS = 1024
QUIET = logging.getLogger("hutong.wire.websocket")
QUIET.setLevel(logging.CRITICAL)  # uvicorn's lines carry query strings, and with them tickets


class BoundedSocket(WebSocketsSansIOProtocol):
    """A WebSocket that ends when it should.

    A broken one (too large a message, text that is no UTF-8) is read on for a moment after its close frame, because closing
    at once would reset the connection, and the client would see that instead. One whose client does not take what is sent is
    aborted a few seconds after its end.
    """

    _failed = False
    _abort: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = QUIET

    def connection_lost(self, exc: Exception | None) -> None:
        if self._abort is not None:
            self._abort.cancel()
            self._abort = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._failed:
            super().data_received(data)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MOST_FRAGMENTS:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        """Say why it ends, and take in for a moment what still comes."""
        if self._failed:
            return
        self._failed = True
        self.stop_keepalive()
        sent = self.conn.close_sent
        code, reason = (sent.code, sent.reason) if sent is not None else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_later()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_later()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        super().on_task_complete(task)
        self._abort_later()

    def _abort_later(self) -> None:
        """The transport closes once the client has taken what was sent; that may be never."""
        if not self.disconnected and self._abort is None:
            self._abort = self.loop.call_later(LEAVE_SECONDS, self.transport.abort)
