"""How an API process leaves without failing a request: notice, quiet door, running requests, exit 0.

1. SIGTERM: `/readyz` answers 503 at once, and every answer from now on closes its connection.
2. For the load balancer's notice everything is still served, new connections too.
3. New connections are turned away so that none is lost between the last `accept` and the end of the socket.
4. Running requests get `drain_seconds`; what waits on an idle connection is closed, and WebSockets with 1012: come back.

Source: DESIGN §2.17; docs/operations/rolling-restart.md; docs/decisions/0016-quiet-door.md.
"""

import asyncio
import contextlib
import ctypes
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from types import FrameType

import uvicorn

from hutong.kernel.observability.health import HealthRegistry
from hutong.kernel.observability.logs import logger

CLOSE = (b"connection", b"close")
SETTLE_SECONDS = 0.1
FIRST_REQUEST_SECONDS = 1.0
SO_ATTACH_FILTER = 26
# A socket filter that drops what opens a connection: the byte with TCP's flags, bit SYN.
NO_SYN = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte at 13
        (0x45, 0, 1, 0x02),  # has it bit 2?
        (0x06, 0, 0, 0),  # yes: keep nothing of the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # no: keep all
    )
)
_log = logger("host.draining")


class DrainingServer(uvicorn.Server):
    """uvicorn's server with a leave that a load balancer does not notice.

    Args:
        config: its `timeout_graceful_shutdown` is how long running requests may take.
        health: says `draining` on `/readyz` from the signal on.
        notice_seconds: how long everything is still served after the signal. Longer than the load balancer keeps an
            idle connection, or it may send a request on one that is just being closed.
    """

    def __init__(self, config: uvicorn.Config, health: HealthRegistry, notice_seconds: float) -> None:
        super().__init__(config)
        self._health, self._notice = health, notice_seconds
        self._leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave; a second Ctrl-C leaves at once. The signal is not raised again, so the exit status is 0."""
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        if self.should_exit:
            return
        self.should_exit = self._health.draining = True
        for headers in (self.config.encoded_headers, self.server_state.default_headers):
            headers.append(CLOSE)  # the first list is that of later requests, the second that of the running ones

    async def on_tick(self, counter: int) -> bool:
        """Whether the notice is over."""
        if not await super().on_tick(counter):
            return False
        if self._leave_at is None:
            self._leave_at = time.monotonic() + self._notice
            _log.info("draining", notice_seconds=self._notice, drain_seconds=self.config.timeout_graceful_shutdown)
        return self.force_exit or time.monotonic() >= self._leave_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door quietly, then let uvicorn wait for what runs."""
        if not self.force_exit:
            turn_away(sockets or [])
            await asyncio.sleep(SETTLE_SECONDS)  # handshakes that had begun end, and are accepted
            await self._hear_the_last_out()
        await super().shutdown(sockets)

    async def _hear_the_last_out(self) -> None:
        """A connection that has just been opened has a request on its way."""
        end = time.monotonic() + FIRST_REQUEST_SECONDS
        while any(getattr(connection, "cycle", True) is None for connection in self.server_state.connections):
            if time.monotonic() >= end:
                return
            await asyncio.sleep(0.01)


def turn_away(listeners: Sequence[socket.socket]) -> None:
    """Make listening sockets deaf to new connections, while those that the system has already begun are still given.

    Closing a listening socket resets whatever waits to be accepted, and there is always a moment between the last
    `accept` and the close. Deaf first, accepted to the end, closed then: the moment is empty. Whoever knocks meanwhile
    asks again after a second and is refused, which a load balancer answers by taking the next server, whatever the
    method. Linux only; elsewhere nothing happens, and the moment stays.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(NO_SYN, len(NO_SYN))
    order = struct.pack("@HP", len(NO_SYN) // 8, ctypes.addressof(program))
    for listener in listeners:
        with contextlib.suppress(OSError):  # a kernel or sandbox without socket filters: as elsewhere
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, order)
