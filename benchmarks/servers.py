"""Server processes that a benchmark watches from outside, and a load generator that costs them nothing extra."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import psutil

from support.http import http_client
from support.processes import free_port

CONNECTIONS = 16


@asynccontextmanager
async def process(
    command: Sequence[str], environment: Mapping[str, str], *, python: str = sys.executable, says: str = ""
) -> AsyncIterator[psutil.Process]:
    """A process that is gone at the end.

    Args:
        command: words for the interpreter.
        environment: variables beyond this process's own.
        python: the interpreter; ours when left out.
        says: a line that it prints once it is ready; waited for.
    """
    child = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment
        [python, *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE if says else subprocess.DEVNULL,
        text=True,
    )
    try:
        if child.stdout is not None:
            line = await asyncio.to_thread(child.stdout.readline)
            assert line.strip() == says, f"{command} said {line!r}"
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


async def answering(url: str, seconds: float = 60.0) -> float:
    """Wait until `url` answers 200; returns how long that took, in seconds."""
    begun = time.perf_counter()
    async with http_client(5) as client:
        while time.perf_counter() - begun < seconds:
            try:
                async with client.get(url) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - begun
            except OSError:
                pass
            await asyncio.sleep(0.01)
    raise TimeoutError(f"{url} did not answer within {seconds} s")


def port() -> int:
    """A free one."""
    return free_port()


class _Caller(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it was answered."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request, self._until = request, until
        self._waiting = b""
        self.answered = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, gap, rest = self._waiting.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.failure = (head + gap + rest).decode(errors="replace")
            self._transport.close()
            return
        self.answered += 1
        self._waiting = b""
        if time.perf_counter() < self._until:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def load(host_port: int, path: str, seconds: float, headers: Mapping[str, str] | None = None) -> int:
    """Ask on `CONNECTIONS` connections for so long; returns how many answers came, all of them 200.

    Raises:
        RuntimeError: one was not.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(request, until), "127.0.0.1", host_port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(caller.closed for caller in callers))
    if failures := [caller.failure for caller in callers if caller.failure]:
        raise RuntimeError(failures[0])
    return sum(caller.answered for caller in callers)
