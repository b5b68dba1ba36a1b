"""Copies in two layers: memory answers only what the store still holds."""

from hutong.kernel.store import LayeredCopies, Store


async def test_what_one_process_changes_no_other_answers(store: Store, store_url: str) -> None:
    """Two processes: what the one forgets, the other's memory does not tell, and neither keeps the old copy again."""
    other_store = Store(store_url)
    here, there = LayeredCopies(store, "thing", 60, 10), LayeredCopies(other_store, "thing", 60, 10)
    await here.keep(1, b"old")
    assert await here.find(1) == await there.find(1) == await there.find(1) == b"old"

    await here.forget(1)
    assert await there.find(1) is None
    await there.keep(1, b"old, read before the change")
    assert await there.find(1) is None and await here.find(1) is None
    await other_store.close()


async def test_memory_does_not_outlive_another_copy(store: Store) -> None:
    """A copy that took the place of the one in memory is the one that is told."""
    here, there = LayeredCopies(store, "thing", 60, 10), LayeredCopies(store, "thing", 60, 10)
    await here.keep(1, b"one")
    assert await here.find(1) == b"one"
    await store.remove("thing:{1}")
    assert await here.find(1) is None

    await there.keep(1, b"two")
    assert await here.find(1) == b"two"


async def test_memory_asks_for_the_stamp_only(store: Store) -> None:
    """A large copy crosses the wire once: the second time, the store is asked for sixteen bytes."""
    here = LayeredCopies(store, "thing", 60, 10)
    await here.keep(1, b"x" * 1_000_000)
    assert await here.find(1) == b"x" * 1_000_000
    sent = await _bytes_sent(store)
    assert await here.find(1) == b"x" * 1_000_000
    assert await _bytes_sent(store) - sent < 10_000


async def test_memory_is_bounded(store: Store) -> None:
    """The copy that was not asked for longest goes first; the store still has it. None at all is a bound, too."""
    here, none = LayeredCopies(store, "thing", 60, 2), LayeredCopies(store, "thing", 60, 0)
    for subject in (1, 2, 3):
        await here.keep(subject, b"%d" % subject)
        assert await here.find(subject) == await none.find(subject) == b"%d" % subject
    assert len(here) == 2 and len(none) == 0
    assert await here.find(1) == b"1"


async def test_without_the_store_there_are_no_copies() -> None:
    """Nobody can say whether memory is still true, so it says nothing."""
    away = Store("redis://127.0.0.1:1/0")
    copies = LayeredCopies(away, "thing", 60, 10)
    await copies.keep(1, b"x")
    assert await copies.find(1) is None
    await copies.forget(1)
    await away.close()


async def _bytes_sent(store: Store) -> int:
    told: bytes = await store.call("INFO", "stats")
    (line,) = [line for line in told.decode().splitlines() if line.startswith("total_net_output_bytes:")]
    return int(line.partition(":")[2])
