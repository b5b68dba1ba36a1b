"""An answer that is read as it comes: what `Outbound.stream` gives.

Time is kept by one timer for each stream that looks now and then, not by one for each read: arming and disarming a timer
costs more than parsing what was read.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

LARGEST_STREAM = 64 * 1024 * 1024


class Streamed:
    """One running answer. Read it to the end or `aclose` it: it holds a connection.

    Args:
        running: the call, entered.
        response: what it gave.
        largest: bytes in all.
    """

    def __init__(
        self,
        running: AbstractAsyncContextManager[aiohttp.ClientResponse],
        response: aiohttp.ClientResponse,
        largest: int,
    ) -> None:
        self._running: AbstractAsyncContextManager[Any] | None = running
        self._response = response
        self._largest = largest
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        if (connection := response.connection) is not None and connection.protocol is not None:
            # It was for the head; the library would arm it anew for each packet.
            connection.protocol.read_timeout = None
            connection.protocol.start_timeout()

    @property
    def at_end(self) -> bool:
        """Whether all has come and was read."""
        return self._running is None or self._response.content.at_eof()

    async def read(self) -> bytes:
        """What has come, at least one byte; empty at the end.

        Raises:
            OutboundFailed: it was cut, came too late, or is longer than allowed.
        """
        running = self._running
        if running is None:
            return b""
        try:
            chunk = await self._chunk()
        except BaseException as error:
            if self._running is not running and isinstance(error, Exception):
                return b""  # closed by somebody else meanwhile; the connection went with it
            await self._leave(error)
            raise
        if not chunk:
            await self._leave(None)
        return chunk

    async def _chunk(self) -> bytes:
        """What has come. What came before the connection broke is given before that is told; the library would drop it."""
        content = self._response.content
        try:
            chunk = await content.readany()
        except (aiohttp.ClientError, OSError):
            held = b"".join(content._buffer)  # noqa: SLF001 - nothing public reaches it once the reader has failed
            content._buffer.clear()  # noqa: SLF001 - same
            if not held:
                raise
            return held
        self._size += len(chunk)
        if self._size > self._largest:
            raise aiohttp.ClientPayloadError(f"longer than {self._largest} bytes")
        return chunk

    async def rest(self, largest: int) -> bytes:
        """All that comes, cut after `largest` bytes, and the end of it."""
        parts, size = [], 0
        while size < largest and (chunk := await self.read()):
            parts.append(chunk)
            size += len(chunk)
        await self.aclose()
        return b"".join(parts)[:largest]

    def expect(self, seconds: float) -> None:
        """From now on, something must be there within `seconds`, or reading fails. `relax` takes it back."""
        self._due = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)
        elif self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._look)

    def relax(self) -> None:
        """Nothing is expected for now; a slow reader is not the vendor's fault."""
        self._due = None

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
            return
        self._response.content.set_exception(TimeoutError("nothing came in time"))

    async def aclose(self) -> None:
        """Let go: of the connection if all was read, else the connection is closed, which the vendor sees."""
        await self._leave(None)

    async def _leave(self, error: BaseException | None) -> None:
        running, self._running = self._running, None
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if running is not None:
            await running.__aexit__(None if error is None else type(error), error, None)
