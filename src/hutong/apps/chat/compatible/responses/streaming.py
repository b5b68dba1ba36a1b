"""Events of a response on their way to a caller, with `event:` lines. Who leaves just stops hearing.

There is no `[DONE]`: the last event says how it ended. One whose log broke off ends in an event of the type `error`.
Source: reference/chat.md §2.2.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hutong.apps.chat.compatible.envelope import error_object
from hutong.apps.chat.compatible.streaming import EVENTS
from hutong.kernel.realtime import Entry
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

PING_SECONDS = 15.0
PING = b": ping\n\n"


class ResponseStream(Response):
    """The answer to a call that hears a response.

    Args:
        entries: of its log; the first ones were asked for already, so that what fails there has a status.
        first: these.
        headers: beside those of a stream.
        on_left: called when the caller leaves before the end.
    """

    def __init__(
        self,
        entries: AsyncIterator[Sequence[Entry]],
        first: Sequence[Entry],
        headers: Mapping[str, str],
        on_left: Callable[[], None],
    ) -> None:
        self.status_code = 200
        self.background = None
        self._entries, self._first, self._on_left = entries, first, on_left
        self._sent_headers = [*EVENTS, *((name.encode(), value.encode()) for name, value in headers.items())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, to the end or until the caller leaves."""
        await send({"type": "http.response.start", "status": 200, "headers": self._sent_headers})
        sending = asyncio.create_task(self._pass_on(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                self._on_left()
                return
            sending.result()
        finally:
            await end(sending, leaving)
        await send({"type": "http.response.body", "body": b""})

    async def _pass_on(self, send: Send) -> None:
        entries, seen = self._first, 0
        try:
            while entries:
                seen = entries[-1].seq
                await send({"type": "http.response.body", "body": written(entries), "more_body": True})
                entries = await self._next(send)
        except HutongError as error:
            body = _failed(error, seen)
            await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _next(self, send: Send) -> Sequence[Entry]:
        """The next entries; none at the end. A comment goes out when nothing came for long."""
        coming = asyncio.create_task(next_of(self._entries))
        try:
            while not (await asyncio.wait({coming}, timeout=PING_SECONDS))[0]:
                await send({"type": "http.response.body", "body": PING, "more_body": True})
            return coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                with suppress(asyncio.CancelledError):
                    await coming


async def next_of(entries: AsyncIterator[Sequence[Entry]]) -> Sequence[Entry]:
    """The next entries; none at the end. (`anext` with an empty tuple for that breaks Python 3.11.)"""
    try:
        return await anext(entries)
    except StopAsyncIteration:
        return ()


def written(entries: Sequence[Entry]) -> bytes:
    """Entries as events."""
    return b"".join([b"event: %b\ndata: %b\n\n" % (entry.kind.encode(), entry.payload) for entry in entries])


def _failed(error: HutongError, number: int) -> bytes:
    said = error_object(error)
    event = {
        "type": "error",
        "sequence_number": number,
        "code": said["code"],
        "message": said["message"],
        "param": said["param"],
    }
    return b"event: error\ndata: %b\n\n" % orjson.dumps(event)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
