"""Bytes on a socket: requests that no client library would send."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Heard:
    """What came back: everything, and whether the server closed."""

    content: bytes
    closed: bool

    @property
    def status(self) -> int:
        """Of the first answer; 0 when there was none."""
        first = self.content.split(b"\r\n", 1)[0].split(b" ")
        return int(first[1]) if len(first) > 1 else 0

    @property
    def answers(self) -> int:
        """How many answers there were."""
        return self.content.count(b"HTTP/1.1 ")


async def say(base: str, *parts: bytes, seconds: float = 5.0, pause: float = 0.0) -> Heard:
    """Send `parts` on a new connection, then listen until the server closes or is silent.

    Args:
        base: URL of the server.
        parts: sent one after the other.
        seconds: of silence after which listening ends.
        pause: seconds between the parts.
    """
    url = urlsplit(base)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass  # it closed already; what it said before is read below
    content = bytearray()
    closed = False
    try:
        async with asyncio.timeout(seconds):
            while chunk := await reader.read(65_536):
                content += chunk
            closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    writer.close()
    return Heard(bytes(content), closed)


def request(line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """A request that asks for the connection to be closed."""
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""])
    return head.encode("latin-1") + body
