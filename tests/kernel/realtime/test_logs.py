"""Stream logs over two processes: each reader gets every entry once and in order, whatever happens meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from hutong.kernel.realtime import StreamAbandoned, StreamGone, StreamLogs, StreamTaken
from hutong.kernel.realtime.logs import keys_of
from hutong.kernel.store import Store
from support.listening import HASTY, Reader, becomes, logs_at

SOON = 1.0
"""Seconds; the aim is a tenth, but tests share the machine."""


@pytest.fixture
async def here(store_url: str) -> AsyncIterator[StreamLogs]:
    async with logs_at(store_url) as logs:
        yield logs


@pytest.fixture
async def there(store_url: str) -> AsyncIterator[StreamLogs]:
    async with logs_at(store_url) as logs:
        yield logs


async def test_readers_that_come_at_any_moment_get_every_entry_once(here: StreamLogs, there: StreamLogs) -> None:
    """Before the first entry, between two, after the end; from the start or from where they were; here and elsewhere."""
    chance = random.Random(4)
    writer = await here.open("r1")
    readers = [Reader(logs, "r1") for logs in (here, there)]
    for number in range(400):
        assert writer.add("delta", b"%d" % number) == number + 1
        if number % 8 == 0:
            readers += [Reader(logs, "r1", chance.randrange(number + 1)) for logs in (here, there)]
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))
    assert await writer.end("done", b"{}")
    readers += [Reader(logs, "r1", chance.randrange(400)) for logs in (here, there)]

    for reader in readers:
        entries = await reader.whole()
        assert reader.numbers == list(range(reader.after + 1, 402))
        assert [entry.payload for entry in entries[:-1]] == [b"%d" % n for n in range(reader.after, 400)]
        assert [entry.last for entry in entries] == [False] * (len(entries) - 1) + [True]


async def test_entries_of_one_moment_leave_together(here: StreamLogs, store: Store) -> None:
    writer = await here.open("r2")
    for number in range(200):
        writer.add("delta", b"%d" % number)
    await becomes(lambda: writer.stored == 200)

    assert await store.call("XLEN", keys_of("r2")[1]) == 1


async def test_a_log_may_end_in_any_turn_of_the_loop(here: StreamLogs) -> None:
    """Also in the one in which its last entry has just reached the store."""
    for turns in range(60):
        writer = await here.open(f"turn{turns}")
        writer.add("delta", b"x")
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert await writer.end("done", b"")


async def test_a_log_has_one_writer(here: StreamLogs, there: StreamLogs) -> None:
    """While it is written, here and elsewhere, and after its end."""
    writer = await here.open("r3")
    for logs in (here, there):
        with pytest.raises(StreamTaken):
            await logs.open("r3")
    await writer.end("done", b"")
    for logs in (here, there):
        with pytest.raises(StreamTaken):
            await logs.open("r3")
    with pytest.raises(ValueError, match="has ended"):
        writer.add("delta", b"late")


async def test_a_log_that_is_not_there_is_gone(here: StreamLogs) -> None:
    with pytest.raises(StreamGone):
        await Reader(here, "nobody-wrote-it").whole()


async def test_whoever_has_all_of_an_ended_log_is_told_nothing_more(here: StreamLogs, there: StreamLogs) -> None:
    writer = await here.open("r4")
    writer.add("delta", b"x")
    await writer.end("done", b"")

    for logs in (here, there):
        for after in (2, 99):
            assert await Reader(logs, "r4", after).whole() == []


async def test_a_log_is_kept_for_a_while_after_its_end(here: StreamLogs, store: Store) -> None:
    writer = await here.open("r5")
    writer.add("delta", b"x")
    await writer.end("done", b"")

    for key in keys_of("r5")[:2]:
        assert 3_500_000 < await store.call("PTTL", key) <= 3_600_000
    await store.remove(*keys_of("r5"))
    with pytest.raises(StreamGone):
        await Reader(here, "r5").whole()


async def test_a_writer_that_gives_up_ends_its_readers(here: StreamLogs, there: StreamLogs) -> None:
    """As when the code that generates fails: they learn at once, and keep what there was."""
    readers: list[Reader] = []

    async def generate() -> None:
        async with await here.open("r6") as writer:
            readers.extend(Reader(logs, "r6") for logs in (here, there))
            writer.add("delta", b"half")
            await becomes(lambda: all(reader.numbers for reader in readers))
            raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError, match="the generator broke"):
        await generate()

    for reader in readers:
        with pytest.raises(StreamAbandoned):
            await reader.whole()
        assert reader.numbers == [1]


async def test_a_silent_writer_stays_alive(here: StreamLogs, there: StreamLogs) -> None:
    """For longer than its lease and the patience of readers: a model may think for minutes."""
    writer = await here.open("r7")
    reader = Reader(there, "r7")
    writer.add("delta", b"a")
    await asyncio.sleep(2 * (HASTY.lease_seconds + HASTY.grace_seconds))
    writer.add("delta", b"b")
    await writer.end("done", b"")

    await reader.whole()
    assert reader.numbers == [1, 2, 3]


async def test_stop_reaches_the_writer_wherever_it_is(here: StreamLogs, there: StreamLogs) -> None:
    for name, logs in (("r8", here), ("r9", there)):
        writer = await here.open(name)
        assert not writer.stop_requested.is_set()
        begun = asyncio.get_running_loop().time()
        assert await logs.request_stop(name)
        async with asyncio.timeout(SOON):
            await writer.stop_requested.wait()
        assert asyncio.get_running_loop().time() - begun < SOON
        await writer.end("stopped", b"")
    assert not await there.request_stop("r8")


async def test_stop_is_heard_by_a_writer_that_opens_after_it(here: StreamLogs, there: StreamLogs) -> None:
    """Whoever presses stop before the first token means it."""
    assert not await there.request_stop("r10")
    writer = await here.open("r10")

    assert writer.stop_requested.is_set()


async def test_a_slow_reader_holds_up_nobody_and_loses_nothing(here: StreamLogs, there: StreamLogs) -> None:
    """It stops taking; the writer and the other readers go on; then it gets the rest."""
    writer = await here.open("r11")
    slow = [Reader(logs, "r11") for logs in (here, there)]
    for reader in slow:
        reader.gate.clear()
    quick = Reader(there, "r11")
    for _ in range(300):
        writer.add("delta", b"x" * 20_000)  # 6 MB: more than is held for a reader, and for a store
        await asyncio.sleep(0.001)
    assert await writer.end("done", b"")
    await quick.whole()
    assert all(len(reader.entries) < 301 for reader in slow)
    for reader in slow:
        reader.gate.set()
        await reader.whole()
        assert reader.numbers == list(range(1, 302))


async def test_a_hundred_readers_share_one_connection(here: StreamLogs, there: StreamLogs, store: Store) -> None:
    """And a hundred who come again and again from where they were lose nothing."""
    writer = await here.open("r12")
    readers = [Reader(there, "r12") for _ in range(100)]

    async def come_and_go() -> list[int]:
        numbers: list[int] = []
        while not numbers or numbers[-1] < 101:
            async for some in there.read("r12", numbers[-1] if numbers else 0):
                numbers += [entry.seq for entry in some]
                break
        return numbers

    visitor = asyncio.create_task(come_and_go())
    for _ in range(100):
        writer.add("delta", b"x")
        await asyncio.sleep(0.003)
    await writer.end("done", b"")

    for reader in readers:
        await reader.whole()
        assert reader.numbers == list(range(1, 102))
    assert await visitor == list(range(1, 102))


async def test_what_is_too_large_or_no_id_is_refused(here: StreamLogs) -> None:
    writer = await here.open("r13")
    with pytest.raises(ValueError, match="bytes"):
        writer.add("delta", b"x" * (1024 * 1024 + 1))
    with pytest.raises(ValueError, match="cannot be the id"):
        await here.open("{r}")
    writer.add("delta", b"y" * 1024 * 1024)
    await writer.end("done", b"")
