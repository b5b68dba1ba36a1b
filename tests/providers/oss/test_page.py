"""The page of the OSS sandbox and its buttons."""

import string
from typing import Any

import pytest

from hutong.kernel.files.errors import StorageFailed
from hutong.providers.oss.sandbox.buttons import BUTTONS
from hutong.providers.oss.sandbox.page_texts import CHINESE, ENGLISH
from providers.oss.stranger import Stranger
from support.buckets import OssBench


async def press(stranger: Stranger, button: str, **fields: str) -> Any:
    url = f"{stranger.bench.url}/control/{button}"
    async with stranger.client.post(url, data=fields, headers={"Accept": "application/json"}) as answer:
        return answer.status, await answer.json()


def test_every_word_is_there_in_both_languages() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    assert [name for name, text in ENGLISH.items() if not text.strip(string.whitespace)] == []


@pytest.mark.parametrize(("lang", "words"), [("en", "OSS sandbox"), ("zh", "OSS 沙箱")])
async def test_the_page_shows_the_bucket(bench: OssBench, stranger: Stranger, lang: str, words: str) -> None:
    await bench.storage.put("uploads/1/2.jpg", b"x", "image/jpeg")
    await stranger.but(secret="guessed").call("PUT", "a.txt", b"x")
    async with stranger.client.get(f"{bench.url}/?lang={lang}") as answer:
        html, policy = await answer.text(), answer.headers["Content-Security-Policy"]

    assert words in html and "uploads/1/2.jpg" in html and "SignatureDoesNotMatch" in html
    assert "default-src 'none'" in policy
    assert "built-in method" not in html  # a word named like a method of dict
    for name in BUTTONS.keys() - {"disarm", "reset"}:
        assert f'action="control/{name}"' in html


async def test_mishaps_happen_as_often_as_ordered(bench: OssBench, stranger: Stranger) -> None:
    for button, told in (("break", 500), ("throttle", 503), ("refuse", 403)):
        await press(stranger, button, times="1", on="put")
        assert (await stranger.call("PUT", "a.txt", b"x")).status == told
        assert (await stranger.call("PUT", "a.txt", b"x")).status == 200


async def test_the_client_tries_again_and_gives_up(bench: OssBench, stranger: Stranger) -> None:
    """Three tries: two failures are overcome, endless ones are the storage's failure."""
    await press(stranger, "break", times="2", on="put")
    await bench.storage.put("a.txt", b"x", "text/plain")
    await press(stranger, "throttle", times="", on="get")
    with pytest.raises(StorageFailed):
        await bench.storage.get("a.txt")
    await press(stranger, "reset")
    assert await bench.storage.get("a.txt") == b"x"


async def test_a_lost_answer_was_carried_out(bench: OssBench, stranger: Stranger) -> None:
    await press(stranger, "lose-answer", times="1", on="put")
    await bench.storage.put("a.txt", b"x", "text/plain")  # the second try replaces what the first one stored
    state = (await press(stranger, "reset"))[1]
    assert state["totals"]["put"] == 2
    assert await bench.storage.get("a.txt") == b"x"


async def test_links_expire_on_order(bench: OssBench, stranger: Stranger) -> None:
    await bench.storage.put("a.txt", b"x", "text/plain")
    link = bench.storage.link("a.txt", seconds=600)
    assert (await press(stranger, "expire-links", key="none"))[0] == 409
    assert (await press(stranger, "expire-links", key="a.txt"))[0] == 200
    async with stranger.client.get(link) as answer:
        assert (answer.status, "Request has expired." in await answer.text()) == (403, True)
    assert await bench.storage.get("a.txt") == b"x"


async def test_the_bucket_is_emptied(bench: OssBench, stranger: Stranger) -> None:
    await bench.storage.put("a.txt", b"x", "text/plain")
    assert (await press(stranger, "clear"))[1]["objects"] == 0
    assert list(await bench.storage.list("")) == []


async def test_other_sites_press_nothing(bench: OssBench, stranger: Stranger) -> None:
    async with stranger.client.post(f"{bench.url}/control/clear", headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
    assert (await press(stranger, "nothing"))[0] == 404
    assert (await press(stranger, "slow", seconds="x"))[0] == 400
