"""Feeds and tickets over two processes. Each test has topics of its own: a cluster tells some nodes later than others."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from hutong.kernel.realtime import Feed, Feeds, Tickets
from hutong.kernel.store import Store
from support.deadlines import until
from support.servers import Redis, redis


@pytest.fixture
async def here(store_url: str) -> AsyncIterator[Feeds]:
    opened = Store(store_url)
    yield Feeds(opened)
    await opened.close()


@pytest.fixture
async def there(store_url: str) -> AsyncIterator[Feeds]:
    opened = Store(store_url)
    yield Feeds(opened)
    await opened.close()


async def taken(feed: Feed, count: int) -> list[bytes | None]:
    async with asyncio.timeout(10):
        return [await feed.get() for _ in range(count)]


async def test_every_subscriber_hears_an_event_once_and_in_order(here: Feeds, there: Feeds) -> None:
    """On both processes, the publisher's own too; other topics are not heard."""
    async with (
        here.subscribe("a1") as a,
        there.subscribe("a1") as b,
        there.subscribe("a1") as c,
        there.subscribe("b1") as d,
    ):
        for number in range(30):
            await here.publish("a1", b"%d" % number)
        await here.publish("b1", b"other")
        for feed in (a, b, c):
            assert await taken(feed, 30) == [b"%d" % number for number in range(30)]
        assert await taken(d, 1) == [b"other"]


async def test_names_keep_feeds_apart(store_url: str, here: Feeds) -> None:
    opened = Store(store_url)
    others = Feeds(opened, "others")
    async with here.subscribe("a2") as mine, others.subscribe("a2") as theirs:
        await others.publish("a2", b"x")
        await here.publish("a2", b"y")
        assert await taken(mine, 1) == [b"y"]
        assert await taken(theirs, 1) == [b"x"]
    await opened.close()


async def test_whoever_lets_too_many_wait_is_told_that_some_were_missed(here: Feeds) -> None:
    async with here.subscribe("a3", longest=5) as slow, here.subscribe("a3") as quick:
        for number in range(7):
            await here.publish("a3", b"%d" % number)
        assert len(await taken(quick, 7)) == 7
        assert await taken(slow, 2) == [None, b"6"]


async def test_the_end_of_a_subscription_leaves_nothing_behind(here: Feeds, there: Feeds, store: Store) -> None:
    """Neither with the process nor with the store."""
    async with there.subscribe("a4"), there.subscribe("a4"):
        pass

    async def nobody() -> bool:
        return bool(await store.call("PUBLISH", "hutong:feed:feeds:a4", b"who is there?") == 0)

    await until(nobody, 10)
    async with there.subscribe("a4") as again:
        await here.publish("a4", b"x")
        assert await taken(again, 1) == [b"x"]


async def test_large_events_are_refused(here: Feeds) -> None:
    with pytest.raises(ValueError, match="bytes"):
        await here.publish("a5", b"x" * 70_000)


async def test_a_ticket_opens_once(store_url: str, store: Store) -> None:
    """On any process; nothing of it can be read in the store; another realm's opens nothing."""
    opened = Store(store_url)
    here, there = Tickets(store, "chat"), Tickets(opened, "chat")
    ticket = await here.issue(42, "session-1")
    assert await Tickets(store, "emoji").redeem(ticket) is None
    assert await there.redeem_noted(ticket) == (42, "session-1")
    assert await here.redeem(ticket) is None
    for word in ("", "x" * 100, "nonsense", "{}"):
        assert await here.redeem(word) is None
    assert len({await here.issue(1) for _ in range(50)}) == 50
    await opened.close()


async def test_a_ticket_is_good_for_a_moment(store: Store) -> None:
    tickets = Tickets(store, "chat", seconds=0.05)
    ticket = await tickets.issue(42)
    await asyncio.sleep(0.1)

    assert await tickets.redeem(ticket) is None


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """One that may be stopped."""
    with redis() as started:
        yield started


async def test_after_an_interruption_subscribers_are_told(server: Redis) -> None:
    """They hear again by themselves; what was said meanwhile is missed, which they know. Without a store, only the own
    process hears what it says."""
    here, there = Store(server.url), Store(server.url)
    mine, theirs = Feeds(here), Feeds(there)
    async with mine.subscribe("a8") as a, theirs.subscribe("a8") as b:
        await asyncio.to_thread(server.stop)
        assert not await mine.publish("a8", b"alone")
        assert await taken(a, 1) == [b"alone"]
        await asyncio.to_thread(server.start)
        assert await taken(a, 1) == await taken(b, 1) == [None]
        assert await mine.publish("a8", b"together")
        assert await taken(a, 1) == await taken(b, 1) == [b"together"]
    await here.close()
    await there.close()


async def test_a_subscription_may_begin_without_a_store(server: Redis) -> None:
    store = Store(server.url)
    feeds = Feeds(store)
    await asyncio.to_thread(server.stop)
    async with feeds.subscribe("a9") as feed:
        await asyncio.to_thread(server.start)
        assert await taken(feed, 1) == [None]
        await feeds.publish("a9", b"x")
        assert await taken(feed, 1) == [b"x"]
    await store.close()
