"""HTTP/1.1 connections with bounds. uvicorn has none for the head of a request, nor for bodies that nobody reads.

Source: reference/reliability.md attack I4 (2,000 headers, slow headers, bodies without end).
"""

import asyncio
from enum import Enum

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
MOST_HEADERS = 200
LARGEST_LEFTOVER = 1024 * 1024
HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"
HEAD_TOO_SLOW = b"408 Request Timeout"


class Awaited(Enum):
    """Which bytes come next."""

    REQUEST = "request"
    HEAD = "head"
    BODY = "body"


class HeadTooLarge(Exception):
    """Ends the parsing; the connection answers 431."""


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed when the head of a request is too large or too slow, or its body is left over.

    A body is left over when the answer was given before it had arrived: it is read on for a while, because closing at once
    would reset the connection, and the client would see that instead of the answer.
    """

    head_seconds = 15.0
    leftover_seconds = 5.0

    _awaited = Awaited.REQUEST
    _partial_head = 0
    _oversize = False
    _leftover = 0
    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        had_begun = self._awaited is Awaited.HEAD
        super().data_received(data)
        if self._upgraded:
            return
        if self._awaited is Awaited.BODY or self.transport.is_closing():
            return
        if self._awaited is Awaited.HEAD and had_begun:
            self._partial_head += len(data)
        if self._partial_head > LARGEST_HEAD:
            self._refuse(HEAD_TOO_LARGE)
        elif self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._arm(self.head_seconds)  # part of a head, or bytes that are none

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited = Awaited.HEAD

    def on_headers_complete(self) -> None:
        self._disarm()
        self._awaited, self._partial_head, self._leftover = Awaited.BODY, 0, 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._oversize = True
            raise HeadTooLarge
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self.cycle is not None and self.cycle.response_complete:
            self._leftover += len(body)
            if self._leftover > LARGEST_LEFTOVER:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaited = Awaited.REQUEST
        if self.cycle is not None and self.cycle.response_complete:
            self._disarm()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self._awaited is not Awaited.REQUEST:
            self._arm(self.leftover_seconds if self._awaited is Awaited.BODY else self.head_seconds)

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        self._disarm()
        super().handle_websocket_upgrade()

    def _should_upgrade(self) -> bool:
        """Sockets live at paths that end in `/ws`; elsewhere an upgrade is answered as the request that it is."""
        path = self.url.partition(b"?")[0]
        return bool(self.parser.get_method() == b"GET" and path.endswith(b"/ws") and super()._should_upgrade())

    def send_400_response(self, msg: str) -> None:
        if self._oversize:
            self._refuse(HEAD_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self._awaited is Awaited.HEAD:
            self._refuse(HEAD_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        """Answer without the app, which has no complete request to answer, and close."""
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
