"""The page of the OpenAI sandbox and its buttons."""

import string
from typing import Any

import pytest

from hutong.sandbox.openai.buttons import BUTTONS
from hutong.sandbox.openai.page_texts import CHINESE, ENGLISH
from support.openai_sandbox import OpenAIBench, said


def test_every_word_is_there_in_both_languages() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    assert [name for name, text in ENGLISH.items() if not text.strip(string.whitespace)] == []


@pytest.mark.parametrize(
    ("lang", "title", "empty"), [("en", "OpenAI sandbox", "No call yet"), ("zh", "OpenAI 沙箱", "还没有调用")]
)
async def test_the_page_shows_what_was_called(bench: OpenAIBench, lang: str, title: str, empty: str) -> None:
    _, before, _ = await bench.get(f"/?lang={lang}")
    await bench.raw(messages=said("<b>What</b> is a hutong?"), user="digest-of-a-user")
    _, html, headers = await bench.get(f"/?lang={lang}")

    assert title in before and empty in before
    assert empty not in html and "&lt;b&gt;What&lt;/b&gt; is a hutong?" in html and "<b>What" not in html
    assert "digest-of-a-user" in html and "gpt-4o-mini" in html
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "built-in method" not in html  # a word named like a method of dict
    for name in BUTTONS.keys() - {"disarm", "reset"}:
        assert f'action="control/{name}"' in html


ARMED: list[tuple[str, dict[str, Any], str]] = [
    ("fail", {"code": "insufficient_quota", "on": "whole"}, "insufficient_quota"),
    ("throttle", {"seconds": 2, "should_retry": "false"}, "x-should-retry: false"),
    ("slow", {"seconds": 3}, "+3 seconds"),
    ("pace", {"seconds": 0.5}, "+0.5 seconds"),
    ("hang", {"after": ""}, "before the status"),
    ("cut", {"after": 4}, "after 4 deltas"),
    ("end-early", {"after": ""}, "only [DONE] is missing"),
    ("error-event", {"after": 2, "code": "server_error"}, "after 2 deltas"),
    ("malformed", {"what": "utf8"}, "utf8"),
    ("no-usage", {"times": ""}, "until disarmed"),
]


async def test_every_mishap_is_shown_and_taken_back(bench: OpenAIBench) -> None:
    for button, fields, _ in ARMED:
        state = await bench.press(button, **fields)
    _, html, _ = await bench.get("/?lang=en")
    shown = " ".join(html.split())

    assert (
        len(state["faults"])
        == len(ARMED)
        == len(BUTTONS) - len({"limits", "restore-limits", "clear", "reset", "disarm"})
    )
    assert [words for _, _, words in ARMED if words not in shown] == []

    state = await bench.press("disarm", id=state["faults"][0]["id"])
    assert len(state["faults"]) == len(ARMED) - 1
    assert (await bench.press("reset"))["faults"] == []


async def test_ended_calls_are_cleared_and_counted_on(bench: OpenAIBench) -> None:
    await bench.raw()
    await bench.raw(model="nothing")
    state = await bench.press("clear")

    assert state["calls"] == []
    assert (state["totals"]["answered"], state["totals"]["refused"], state["totals"]["whole"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("button", "fields"),
    [
        ("fail", {"code": "nonsense"}),
        ("hang", {"after": -1}),
        ("slow", {"seconds": "x"}),
        ("malformed", {"what": "poem"}),
        ("cut", {"on": "models"}),
        ("limits", {"requests_per_minute": 0, "tokens_per_minute": 1}),
    ],
)
async def test_what_no_button_does(bench: OpenAIBench, button: str, fields: dict[str, Any]) -> None:
    url = f"{bench.url}/control/{button}"
    async with bench.client.post(url, json=fields) as answer:
        assert answer.status == 400
    async with bench.client.post(url, data={}, headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403


async def test_a_press_on_the_page_comes_back_to_it(bench: OpenAIBench) -> None:
    url, form = f"{bench.url}/control/hang", {"after": "3", "times": "1", "lang": "zh"}
    async with bench.client.post(url, data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "../?done=hang&lang=zh")
