"""Copies of what SQL says: kept for a while, never put back over a change."""

from hutong.kernel.store import Copies, Store


async def test_a_copy_is_there_until_it_is_forgotten(store: Store) -> None:
    copies = Copies(store, "thing", 60)
    assert await copies.find(1) is None
    await copies.keep(1, b"old")
    await copies.keep(1, b"other")  # the first one stays
    assert await copies.find(1) == b"old"
    assert await copies.find(2) is None
    await copies.forget(1)
    assert await copies.find(1) is None


async def test_a_reader_from_before_a_change_puts_nothing_back(store: Store) -> None:
    copies = Copies(store, "thing", 60)
    await copies.forget(1)  # somebody changes it while a reader still holds the old row
    await copies.keep(1, b"old")

    assert await copies.find(1) is None


async def test_a_copy_ends_when_it_is_no_longer_true(store: Store) -> None:
    await Copies(store, "thing", 600).keep(1, b"x", at_most=5)

    assert 0 < int(await store.call("PTTL", "thing:{1}")) <= 5_000


async def test_without_a_store_there_are_none() -> None:
    away = Store("redis://127.0.0.1:1/0")
    copies = Copies(away, "thing", 60)
    await copies.keep(1, b"x")
    await copies.forget(1)
    assert await copies.find(1) is None
    await away.close()
