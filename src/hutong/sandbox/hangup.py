"""Losing an answer: the connection ends without a single byte of a response."""

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HOLD_SECONDS = 60
DEPTH = 12


@runtime_checkable
class Abortable(Protocol):
    """A transport of asyncio or of uvloop, which share no class."""

    def abort(self) -> None: ...

    def close(self) -> None: ...

    def get_extra_info(self, name: str) -> Any: ...


class Hangup(Response):
    """An answer that never arrives.

    ASGI has no word for closing a connection, and uvicorn turns an exception into a 500. So the server's transport is
    looked up behind `receive` and aborted: the client sees the connection reset. Where no transport is found (another
    server), the answer is held back until the client gives up, for 60 seconds at most, and then becomes a 504.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(receive)
        if transport is not None:
            transport.abort()
        await Silence()(scope, receive, send)


class Silence(Response):
    """No answer, while the connection stays: until the client gives up, for 60 seconds at most; then a 504."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(HOLD_SECONDS):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            await Response(status_code=504)(scope, receive, send)


def transport_of(receive: Receive) -> Abortable | None:
    """The connection that feeds `receive`, seen through the middleware that may be wrapped around it."""
    layer: list[Any] = [receive]
    for _ in range(DEPTH):
        for thing in layer:
            transport = getattr(thing, "transport", None)
            if isinstance(transport, Abortable):
                return transport
        layer = [inner for thing in layer for inner in _behind(thing)]
    return None


def _behind(thing: Any) -> Iterator[Any]:
    """What a method, a closure or a partial holds on to."""
    owner = getattr(thing, "__self__", None)
    if owner is not None:
        yield owner
        yield from (held for held in getattr(owner, "__dict__", {}).values() if callable(held))
    for cell in getattr(thing, "__closure__", None) or ():
        if callable(cell.cell_contents):
            yield cell.cell_contents
    if hasattr(thing, "func"):
        yield thing.func
