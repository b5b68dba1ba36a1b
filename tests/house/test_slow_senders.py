"""Who opens a connection and does not go on is not waited for. Source: reference/reliability.md §4.2 (I4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from hutong.host.connections import BoundedConnection
from support.http import free_listener, listening
from support.wire import request, say


class Impatient(BoundedConnection):
    """The same with shorter times."""

    head_seconds = 0.3
    leftover_seconds = 0.3


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once, whatever is still to come."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@asynccontextmanager
async def impatient() -> AsyncIterator[str]:
    with free_listener() as listener:
        async with listening(refuse, listener, http=Impatient, timeout_keep_alive=30):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


SLOW = {
    "silence": (b"", 0),
    "half a line": (b"GET /li", 408),
    "half a head": (b"GET /livez HTTP/1.1\r\nHost: x\r\n", 408),
    "empty lines": (b"\r\n" * 10, 0),
    "half a body": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12", 200),
    "half a second head": (request("GET /").replace(b"close", b"keep-alive") + b"GET /li", 200),
}


@pytest.mark.parametrize(("sent", "status"), SLOW.values(), ids=SLOW)
async def test_who_does_not_go_on_is_not_waited_for(sent: bytes, status: int) -> None:
    """A head has a time limit, and so has the rest of a body that was answered already."""
    async with impatient() as base:
        heard = await say(base, sent)

    assert heard.closed
    assert heard.status == status


async def test_empty_lines_after_a_request_keep_no_connection() -> None:
    """They would otherwise switch off the limit for idle connections."""
    async with impatient() as base:
        heard = await say(base, request("GET /").replace(b"close", b"keep-alive"), b"\r\n", pause=0.1)

    assert heard.closed and heard.status == 200


async def test_a_dripping_head_ends_in_time() -> None:
    async with impatient() as base:
        heard = await say(base, *[b"GET / HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 40], pause=0.05)

    assert heard.closed and heard.status in {408, 0}
