"""The pages of the mail sandbox and their buttons."""

import string
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hutong.kit.clock import SystemClock
from hutong.providers.smtp.sandbox import MailSandboxSettings, create_sandbox
from hutong.providers.smtp.sandbox.buttons import BUTTONS
from hutong.providers.smtp.sandbox.page_texts import CHINESE, ENGLISH
from support.http import Client, http_client, serving
from support.mails import TO, MailBench, message


@dataclass
class Desk:
    """A sandbox that is served, and a browser."""

    bench: MailBench
    client: Client
    url: str

    async def get(self, path: str) -> tuple[int, str, Any]:
        async with self.client.get(self.url + path) as answer:
            return answer.status, await answer.text(), answer.headers

    async def press(self, button: str, **fields: str) -> Any:
        url, json = f"{self.url}/control/{button}", {"Accept": "application/json"}
        async with self.client.post(url, data=fields, headers=json) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    app = create_sandbox(MailSandboxSettings(folder=tmp_path, public_url="http://127.0.0.1/sandbox/mail"))
    async with serving(app, lifespan="on") as url, http_client() as client:
        yield Desk(MailBench(app.state.sandbox, SystemClock()), client, url)


def test_every_word_is_there_in_both_languages() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    assert [name for name, text in ENGLISH.items() if not text.strip(string.whitespace)] == []


@pytest.mark.parametrize(
    ("lang", "title", "empty"), [("en", "Mail sandbox", "No mail yet"), ("zh", "邮件沙箱", "还没有邮件")]
)
async def test_the_page_shows_the_inbox(desk: Desk, lang: str, title: str, empty: str) -> None:
    _, before, _ = await desk.get(f"/?lang={lang}")
    await desk.bench.mailer().send(message(subject="<b>Hi</b>", text="Your code: 482913\n"))
    _, html, headers = await desk.get(f"/?lang={lang}")

    assert title in before and empty in before
    assert empty not in html and TO in html and "482913" in html
    assert "&lt;b&gt;Hi&lt;/b&gt;" in html and "<b>Hi</b>" not in html
    assert f"127.0.0.1:{desk.bench.sandbox.server.port}" in html
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "built-in method" not in html  # a word named like a method of dict
    for name in BUTTONS.keys() - {"disarm", "reset"}:
        assert f'action="control/{name}"' in html


async def test_a_mail_is_opened_in_each_of_its_forms(desk: Desk) -> None:
    evil = "<script>parent.location='http://evil.example'</script><p>Hi</p>"
    await desk.bench.mailer().send(message(text="Hi <there>\n", html=evil))
    status, page, headers = await desk.get("/messages/1")
    _, html, html_headers = await desk.get("/messages/1/html")
    _, source, source_headers = await desk.get("/messages/1/source")

    assert status == 200 and 'iframe sandbox src="1/html"' in page and "Hi &lt;there&gt;" in page
    assert "<script>" not in page and "frame-src 'self'" in headers["Content-Security-Policy"]
    assert html.strip() == evil
    policy = html_headers["Content-Security-Policy"]
    assert policy.startswith("sandbox;") and "allow-scripts" not in policy and "default-src 'none'" in policy
    assert "Message-ID: <1.mail@example.com>" in source
    assert (
        source_headers["Content-Type"].startswith("text/plain")
        and source_headers["X-Content-Type-Options"] == "nosniff"
    )


@pytest.mark.parametrize("path", ["/messages/7", "/messages/7/html", "/messages/7/source"])
async def test_a_mail_that_is_not_there(desk: Desk, path: str) -> None:
    assert (await desk.get(path))[0] == 404


async def test_a_machine_reads_the_latest_code(desk: Desk) -> None:
    mailer = desk.bench.mailer()
    await mailer.send(message(text="Your code: 111111\n"))
    await mailer.send(message(text="Your code: 222222, order 20261102123456\n", message_id="2@example.com"))
    await mailer.send(message(to="wang@example.com", text="Order 1234567, 123.456789\n", message_id="3@example.com"))
    async with desk.client.get(f"{desk.url}/messages.json") as answer:
        everybody = (await answer.json())["messages"]
    async with desk.client.get(f"{desk.url}/messages.json", params={"to": "LI@Example.com"}) as answer:
        mine = (await answer.json())["messages"]

    assert [mail["code"] for mail in mine] == ["222222", "111111"]
    assert [mail["to"] for mail in everybody] == ["wang@example.com", TO, TO]
    assert everybody[0]["code"] is None and everybody[1]["text"].startswith("Your code: 222222")


async def test_mishaps_are_shown_counted_and_taken_back(desk: Desk) -> None:
    _, state = await desk.press("refuse", on="data", times="2")
    await desk.press("slow", seconds="1.5", times="")
    _, html, _ = await desk.get("/?lang=en")
    assert [(fault["kind"], fault["code"]) for fault in state["faults"]] == [("answer", "554")]
    assert "Armed mishaps" in html and "554 after the mail" in html and "+1.5 seconds" in html

    await desk.press("disarm", id=str(state["faults"][0]["id"]))
    _, state = await desk.press("reset")
    assert state["faults"] == []


async def test_the_inbox_is_emptied(desk: Desk) -> None:
    await desk.bench.mailer().send(message())
    _, state = await desk.press("clear")
    assert (state["mails"], state["totals"]["taken"]) == (0, 1)
    assert await desk.bench.mails() == []


async def test_other_sites_press_nothing(desk: Desk) -> None:
    async with desk.client.post(f"{desk.url}/control/clear", headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
    assert (await desk.press("nothing"))[0] == 404
    assert (await desk.press("slow", seconds="x"))[0] == 400
    assert (await desk.press("refuse", on="helo"))[0] == 400


async def test_a_press_on_the_page_comes_back_to_it(desk: Desk) -> None:
    url = f"{desk.url}/control/throttle"
    async with desk.client.post(url, data={"times": "1", "lang": "zh"}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "../?done=throttle&lang=zh")
