"""What clients say to Redis servers, overheard with MONITOR."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.valkey import Redis

_LINE = re.compile(rb"\+[\d.]+ \[\d+ (?P<who>.*?)\] (?P<words>.*)")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')


@dataclass
class Overheard:
    """Commands in the order in which they came, as words; those of scripts apart."""

    sent: list[list[str]] = field(default_factory=list)
    by_scripts: list[list[str]] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        found = _LINE.fullmatch(line.strip())
        if found is None or found["who"].startswith(b"unix:"):  # the tests' own clients use the socket
            return
        words = [word.decode("unicode_escape") for word in _WORD.findall(found["words"])]
        (self.by_scripts if found["who"] == b"lua" else self.sent).append(words)


@asynccontextmanager
async def overhearing(servers: Sequence[Redis]) -> AsyncIterator[Overheard]:
    """Listen to all that is said over TCP; complete once the context has ended."""
    overheard = Overheard()
    async with asyncio.TaskGroup() as group:
        lines = [await asyncio.open_unix_connection(str(server.socket)) for server in servers]
        for reader, writer in lines:
            writer.write(b"MONITOR\r\n")
            assert await reader.readline() == b"+OK\r\n"
            group.create_task(_listen(reader, overheard))
        yield overheard
        for _, writer in lines:
            writer.write(b"QUIT\r\n")
    for _, writer in lines:
        writer.close()


async def _listen(reader: asyncio.StreamReader, overheard: Overheard) -> None:
    while line := await reader.readline():
        overheard.take(line)
