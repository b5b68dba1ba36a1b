"""Asking a server for chat completions, cheaply: connections that ask again as soon as they were answered."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import orjson

AT_ONCE = 16
BODY = {"model": "mock", "messages": [{"role": "user", "content": "Tell me something about lanes. " * 6}]}
END = b"0\r\n\r\n"


def request(path: str, headers: Mapping[str, str], *, stream: bool, model: str = "mock") -> bytes:
    """The bytes of one call."""
    body = orjson.dumps({**BODY, "model": model, **({"stream": True} if stream else {})})
    sent = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Asker(asyncio.Protocol):
    """One connection. Each answer has to be 200 and, if it is a stream, end with [DONE].

    Args:
        asked: the bytes of a call.
        until: moment of the clock after which it asks no more; 0: it asks once.
    """

    def __init__(self, asked: bytes, until: float) -> None:
        self._asked, self._until = asked, until
        self._seen = b""
        self._begun = 0.0
        self.answered = 0
        self.failure: bytes | None = None
        self.first_token: float | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if self.first_token is None and b" word0" in self._seen:
            self.first_token = time.perf_counter() - self._begun
        if not self._is_whole():
            return
        if not self._seen.startswith(b"HTTP/1.1 200") or b"word" not in self._seen:
            self.failure = self._seen[:2000]
            self._transport.close()
            return
        self.answered += 1
        if time.perf_counter() < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _ask(self) -> None:
        self._seen, self._begun, self.first_token = b"", time.perf_counter(), None
        self._transport.write(self._asked)

    def _is_whole(self) -> bool:
        if self._seen.endswith(END):
            return True
        head, gap, rest = self._seen.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0].strip()
        return bool(gap and length) and len(rest) >= int(length)


async def ask(port: int, asked: bytes, seconds: float, at_once: int = AT_ONCE) -> Sequence[Asker]:
    """Ask on so many connections for so long; nought seconds: once each.

    Raises:
        RuntimeError: an answer was not as it should be.
    """
    until = time.perf_counter() + seconds if seconds else 0.0
    loop = asyncio.get_running_loop()
    made = [loop.create_connection(lambda: Asker(asked, until), "127.0.0.1", port) for _ in range(at_once)]
    askers = [asker for _, asker in await asyncio.gather(*made)]
    await asyncio.gather(*(asker.closed for asker in askers))
    for asker in askers:
        if asker.failure is not None or not asker.answered:
            raise RuntimeError((asker.failure or b"the connection was closed").decode(errors="replace"))
    return askers
