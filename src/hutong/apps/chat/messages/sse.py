"""Replies as server-sent events: `id` is the place in the log, from which `Last-Event-ID` goes on.

Source: WHATWG HTML §9.2 (event stream format); docs/apps/chat-protocol.md.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import orjson
from starlette.responses import StreamingResponse

from hutong.apps.chat.replies.events import ReplyEvent
from hutong.kit.tasks import end

KIND = "text/event-stream"
RETRY = b"retry: 1000\n\n"
"""Milliseconds after which a browser comes back by itself."""
ALIVE = b": alive\n\n"


def framed(event: ReplyEvent) -> bytes:
    """One event as the stream has it. What is told from the row alone has no place in the log, and no `id`."""
    number = b"id: %d\n" % event.seq if event.seq else b""
    return number + b"event: %b\ndata: %b\n\n" % (event.kind.encode(), orjson.dumps(event.data))


def event_stream(events: AsyncIterator[Sequence[ReplyEvent]], keep_alive: float) -> StreamingResponse:
    """The answer that tells them. Whoever leaves ends the answer, and nothing else.

    Args:
        events: some at a time.
        keep_alive: seconds of silence after which a comment is sent.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold it back
    return StreamingResponse(_frames(events, keep_alive), headers=headers, media_type=KIND)


async def _frames(events: AsyncIterator[Sequence[ReplyEvent]], keep_alive: float) -> AsyncGenerator[bytes, None]:
    yield RETRY
    coming: asyncio.Task[Sequence[ReplyEvent] | None] | None = None
    try:
        while True:
            coming = coming or asyncio.create_task(_next(events))
            if not (await asyncio.wait({coming}, timeout=keep_alive))[0]:
                yield ALIVE
                continue
            some, coming = coming.result(), None
            if some is None:
                return
            yield b"".join(map(framed, some))
    finally:
        await end(coming)
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _next(events: AsyncIterator[Sequence[ReplyEvent]]) -> Sequence[ReplyEvent] | None:
    return await anext(events, None)
