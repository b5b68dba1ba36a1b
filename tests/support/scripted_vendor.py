"""A vendor of Chat Completions that does what a test writes down, byte by byte, over a real socket.

Each request takes the next script; a request without one is answered 418, so that no test passes by an accident.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from hutong.kit.tasks import end
from support.http import free_listener


class Cut:
    """Step: break the connection."""


class Hang:
    """Step: say nothing more; the vendor notes it when the caller goes."""


Step = bytes | Cut | Hang | float | asyncio.Event
"""Bytes are sent, a number is a pause in seconds, an event is waited for."""


@dataclass(frozen=True)
class Script:
    """One answer: status, headers and what happens to the body, which is chunked and ended unless it is cut."""

    steps: Sequence[Step] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a caller sent."""

    path: str
    headers: dict[str, str]
    body: Any


class ScriptedVendor:
    """See the module. `left` is set when a caller has gone away from a `Hang`; `most_at_once` counts requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.scripts: list[Script] = []
        self.asked: list[Asked] = []
        self.left = asyncio.Event()
        self._news = asyncio.Event()
        self.connections = 0
        self.running = 0
        self.most_at_once = 0

    def will(self, *scripts: Script) -> None:
        """Add answers for the next requests."""
        self.scripts += scripts

    async def hears(self, count: int) -> None:
        """Wait until so many requests have come in all."""
        async with asyncio.timeout(10):
            while len(self.asked) < count:
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(head[0].split(" ")[1], headers, orjson.loads(content) if content else None))
        self._news.set()
        script = self.scripts.pop(0) if self.scripts else Script(status=418)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            return await self._play(script, reader, writer)
        finally:
            self.running -= 1

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        sent = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **script.headers}
        lines = [f"HTTP/1.1 {script.status} Scripted", *(f"{name}: {value}" for name, value in sent.items())]
        opening = "\r\n".join([*lines, "", ""]).encode()
        if script.steps and isinstance(script.steps[0], Hang | Cut):
            opening = b""
        for step in script.steps:
            if isinstance(step, bytes):
                writer.write(opening + b"%x\r\n%b\r\n" % (len(step), step))
                opening = b""
                await writer.drain()
            elif isinstance(step, Cut):
                writer.transport.close()
                return False
            elif isinstance(step, Hang):
                await reader.read(1)
                self.left.set()
                return False
            elif isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await asyncio.sleep(step)
        writer.write(opening + b"0\r\n\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def scripted_vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor on a free loopback port."""
    with free_listener() as listener:
        vendor = ScriptedVendor(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(vendor.serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, sock=listener)
        try:
            yield vendor
        finally:
            server.close()
            await end(*tasks)


def event(**fields: Any) -> bytes:
    """One chunk as an event."""
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "vendor-name", **fields}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def delta(content: str | None = None, finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    """A chunk that adds to a choice."""
    added = fields if content is None else {"content": content, **fields}
    return event(choices=[{"index": index, "delta": added, "finish_reason": finish}], usage=None)


def usage(prompt: int, completion: int, **details: Any) -> bytes:
    """The chunk with the usage."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(choices=[], usage={**counts, **details})


DONE = b"data: [DONE]\n\n"
ROLE = delta("", role="assistant")


def told(*words: str) -> list[Step]:
    """A whole stream that says these words, each in a packet of its own."""
    return [ROLE, *map(delta, words), delta(finish="stop"), usage(9, len(words)), DONE]


def failing(status: int, *, headers: dict[str, str] | None = None, **error: Any) -> Script:
    """An answer that is an error."""
    body = orjson.dumps({"error": {"message": "no", "type": "x", "param": None, "code": None, **error}})
    return Script([body], status, {"Content-Type": "application/json", **(headers or {})})


def whole(content: str = "Hello", *, usage: dict[str, Any] | None = None, **fields: Any) -> Script:
    """An answer that is not streamed."""
    message = {"role": "assistant", "content": content, "refusal": None}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "vendor-name", "choices": choices}
    content_ = orjson.dumps({**body, **({"usage": usage} if usage is not None else {}), **fields})
    return Script([content_], headers={"Content-Type": "application/json", "x-request-id": "req_1"})
