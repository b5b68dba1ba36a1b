"""Stream logs when something fails in the middle: each reader gets all of it, or is told clearly that it will not."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from hutong.kernel.realtime import StreamAbandoned, StreamGone, StreamLogs, StreamWriter
from hutong.kernel.realtime.logs import keys_of
from hutong.kernel.store import StoreUnavailable
from support.listening import HASTY, Reader, becomes, logs_at
from support.servers import Redis, redis

WRITER = """
import asyncio, sys
from hutong.kernel.realtime import StreamLogs
from hutong.kernel.store import Store
from support.listening import HASTY

async def main():
    writer = await StreamLogs(Store(sys.argv[1]), HASTY).open(sys.argv[2])
    while True:
        writer.add("delta", b"x")
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """One that may be killed, and whose disk has what it acknowledged."""
    with redis(durable=True) as started:
        yield started


@pytest.fixture
async def here(server: Redis) -> AsyncIterator[StreamLogs]:
    async with logs_at(server.url) as logs:
        yield logs


@pytest.fixture
async def there(server: Redis) -> AsyncIterator[StreamLogs]:
    async with logs_at(server.url) as logs:
        yield logs


async def write(writer: StreamWriter, count: int) -> None:
    for _ in range(count):
        writer.add("delta", b"some words")
        await asyncio.sleep(0.002)


async def heard(readers: list[Reader], number: int) -> None:
    await becomes(lambda: all(reader.numbers and reader.numbers[-1] >= number for reader in readers))


async def test_a_store_that_is_emptied_gets_everything_again(
    server: Redis, here: StreamLogs, there: StreamLogs
) -> None:
    writer = await here.open("f1")
    readers = [Reader(logs, "f1") for logs in (here, there)]
    await write(writer, 50)
    await heard(readers, 50)
    server.flush()
    await write(writer, 50)
    assert await writer.end("done", b"")
    readers.append(Reader(there, "f1"))

    for reader in readers:
        await reader.whole()
        assert reader.numbers == list(range(1, 102))


async def test_a_silent_writer_notices_that_the_store_was_emptied(server: Redis, here: StreamLogs) -> None:
    writer = await here.open("f2")
    await write(writer, 10)
    await becomes(lambda: writer.stored == 10)
    server.flush()

    with server.client() as client:
        await becomes(lambda: client.exists(keys_of("f2")[1]))
    await writer.end("done", b"")


async def test_a_store_that_restarts_goes_on(server: Redis, here: StreamLogs, there: StreamLogs) -> None:
    """Its readers elsewhere wait for it, those beside the writer hear it all the same."""
    writer = await here.open("f3")
    beside, away = Reader(here, "f3"), Reader(there, "f3")
    await write(writer, 50)
    await heard([beside, away], 50)
    await asyncio.to_thread(server.stop)
    await write(writer, 50)
    await heard([beside], 100)
    await asyncio.to_thread(server.start)
    await write(writer, 50)
    assert await writer.end("done", b"")

    for reader in (beside, away):
        await reader.whole()
        assert reader.numbers == list(range(1, 152))


async def test_a_store_that_comes_back_without_the_last_second_gets_it_again(
    server: Redis, here: StreamLogs, there: StreamLogs
) -> None:
    """As after a crash with `appendfsync everysec`: acknowledged writes are lost, which a reader may have heard."""
    writer = await here.open("f4")
    readers = [Reader(logs, "f4") for logs in (here, there)]
    await write(writer, 30)
    await becomes(lambda: writer.stored == 30)
    await asyncio.to_thread(server.keep_a_copy)
    await write(writer, 40)
    await heard(readers, 70)
    await asyncio.to_thread(server.come_back_older)
    await write(writer, 30)
    assert await writer.end("done", b"")
    readers.append(Reader(there, "f4"))

    for reader in readers:
        await reader.whole()
        assert reader.numbers == list(range(1, 102))


async def test_a_log_of_which_the_store_lost_too_much_is_gone(server: Redis, there: StreamLogs) -> None:
    """The writer holds its newest entries only. Readers elsewhere turn to the database, those beside it hear the end."""
    async with logs_at(server.url, replace(HASTY, held_bytes=2000)) as here:
        writer = await here.open("f5")
        beside, away = Reader(here, "f5"), Reader(there, "f5")
        await write(writer, 100)
        await heard([beside, away], 100)
        server.flush()
        await write(writer, 20)
        with pytest.raises(StreamGone):
            await away.whole()
        assert writer.gone
        assert not await writer.end("done", b"")
        await beside.whole()
        assert beside.numbers == list(range(1, 122))


async def test_a_log_may_begin_and_end_without_a_store(server: Redis, here: StreamLogs, there: StreamLogs) -> None:
    await asyncio.to_thread(server.stop)
    writer = await here.open("f6")
    beside = Reader(here, "f6")
    await write(writer, 20)
    writer_ends = asyncio.create_task(writer.end("done", b""))
    await beside.whole()
    await asyncio.to_thread(server.start)

    assert await writer_ends
    assert len(await Reader(there, "f6").whole()) == 21


async def test_an_end_that_does_not_reach_the_store_says_so(server: Redis, there: StreamLogs) -> None:
    """Readers beside the writer have it; elsewhere the log is found abandoned."""
    async with logs_at(server.url, replace(HASTY, end_seconds=0.2)) as here:
        writer = await here.open("f7")
        readers = [Reader(logs, "f7") for logs in (here, there)]
        await write(writer, 5)
        await heard(readers, 5)
        await asyncio.to_thread(server.stop)
        assert not await writer.end("done", b"")
        assert [entry.seq for entry in await readers[0].whole()] == [1, 2, 3, 4, 5, 6]
        await asyncio.to_thread(server.start)
        with pytest.raises(StreamAbandoned):
            await readers[1].whole()


async def test_a_reader_gives_up_on_a_store_that_stays_away(server: Redis, here: StreamLogs) -> None:
    async with logs_at(server.url, replace(HASTY, patience_seconds=0.5)) as there:
        writer = await here.open("f8")
        writer.add("delta", b"x")
        reader = Reader(there, "f8")
        await heard([reader], 1)
        await asyncio.to_thread(server.stop)
        try:
            with pytest.raises(StoreUnavailable):
                await reader.whole()
        finally:
            await asyncio.to_thread(server.start)


async def test_the_readers_of_a_killed_process_are_told(server: Redis, there: StreamLogs) -> None:
    """kill -9: nobody says that it is over, but the lease runs out. Whoever comes later is told the same."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, server.url, "f9", env=environment)
    try:
        with server.client() as client:
            await becomes(lambda: client.exists(keys_of("f9")[1]))
        reader = Reader(there, "f9")
        await heard([reader], 10)
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()

    for each in (reader, Reader(there, "f9")):
        with pytest.raises(StreamAbandoned):
            await each.whole()
        assert each.numbers == list(range(1, reader.numbers[-1] + 1))
