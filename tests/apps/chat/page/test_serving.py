"""How the page's files reach a browser."""

import gzip
import re
from importlib.resources import files

import pytest

from hutong.apps.chat.page.assets import KINDS, page_assets
from hutong.apps.chat.page.endpoints import POLICY
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_the_page_keeps_a_strict_policy(stand: Stand) -> None:
    async with stand.client.get(f"{stand.base}/chat/") as answer:
        policy = answer.headers["content-security-policy"]
        html = await answer.text()

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert policy == POLICY
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]* src=)|<style| on\w+=| style=", html) == []


async def test_without_its_slash_the_mount_leads_to_the_page(stand: Stand) -> None:
    async with stand.client.get(f"{stand.base}/chat", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (308, "/chat/")


async def test_a_file_that_is_known_is_not_sent_again(stand: Stand) -> None:
    url = f"{stand.base}/chat/page/js/start.js"
    async with stand.client.get(url, headers={"Accept-Encoding": "identity"}) as answer:
        plain, tag = await answer.read(), answer.headers["etag"]
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
    async with stand.client.get(url, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with stand.client.get(url, headers={"Accept-Encoding": "gzip"}, auto_decompress=False) as answer:
        assert gzip.decompress(await answer.read()) == plain


@pytest.mark.parametrize("path", ["", "nothing.js", "../endpoints.py", "js", "..%2fendpoints.py", "js/../../assets.py"])
async def test_nothing_else_is_served(stand: Stand, path: str) -> None:
    async with stand.client.get(f"{stand.base}/chat/page/{path}") as answer:
        assert answer.status == 404


def test_every_file_is_named_by_another(database_url: str) -> None:
    """Nothing lies there that nobody loads, and nothing is loaded that is not there."""
    texts = {path: asset.content.decode() for path, asset in page_assets().items()}
    named = {"index.html"}
    for path, text in texts.items():
        folder = path.rpartition("/")[0]
        for found in re.findall(r'from "(\./|\.\./)([\w./-]+)"', text):
            up = folder if found[0] == "./" else folder.rpartition("/")[0]
            named.add(f"{up}/{found[1]}")
        named |= set(re.findall(r'"page/([\w./-]+)"', text))

    assert named == set(texts)
    assert set(KINDS) >= {path.rpartition(".")[2] for path in texts}
    assert (files("hutong.apps.chat.page") / "static" / "index.html").is_file()


def test_nothing_comes_from_elsewhere(database_url: str) -> None:
    for path, asset in page_assets().items():
        addresses = set(re.findall(r"https?://[\w.-]+", asset.content.decode())) - {"http://www.w3.org"}

        assert addresses == set(), path


def test_every_text_is_there_in_both_languages(database_url: str) -> None:
    """Each name that the modules ask for, and no other; English is without Chinese, Chinese is not English."""
    texts = {path: asset.content.decode() for path, asset in page_assets().items() if path.endswith(".js")}
    entries = dict(re.findall(r'^  (\w+): \["(.*)"\],$', texts["js/words.js"], re.MULTILINE))
    code = "".join(text for path, text in texts.items() if path != "js/words.js")

    for name, both in entries.items():
        english, chinese = both.split('", "')
        assert name == "otherLanguage" or not re.search(r"[\u4e00-\u9fff]", english), name
        assert re.search(r"[\u4e00-\u9fff]", chinese) or name == "otherLanguage", name
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), name
        assert f'"{name}"' in code or f"{name}:" in code, f"nobody asks for {name}"
    asked = set(re.findall(r'\bword\("(\w+)"', code))
    assert asked - set(entries) - {"ideas"} == set()
