"""Routing, retries, fallback and limits, with real vendors at the end of real sockets."""

import asyncio
import time
from contextlib import suppress

import orjson
import pytest

from hutong.kernel.gateway.chat import ChatCall
from hutong.kernel.gateway.errors import (
    CallRefused,
    ChatInterrupted,
    ContextTooLong,
    ModelForbidden,
    ModelUnknown,
    ProviderBlocked,
    ProviderBusy,
    ProviderDown,
    ProviderFailed,
    ProviderThrottled,
)
from support.chat_bench import CALL, heard
from support.chat_stand import DOCUMENT, ChatStand
from support.scripted_vendor import Cut, Hang, Script, Step, delta, failing, told, whole


def _call(model: str, **body: object) -> ChatCall:
    return ChatCall(model, {**CALL.body, **body}, user_id=1, request_id="r")


# Routing


async def test_a_model_is_found_by_its_name_and_the_provider_hears_its_own(stand: ChatStand) -> None:
    stand.one.will(whole("Hi", usage={"prompt_tokens": 1, "completion_tokens": 1}))

    answer = await stand.chats.complete(_call("alone"), vip=False)

    assert (answer.receipt.provider, answer.receipt.provider_model) == ("one", "big")
    assert orjson.loads(answer.body)["model"] == "alone"
    assert stand.one.asked[0].body["model"] == "big"


@pytest.mark.parametrize("name", ["nothing", "elsewhere", "", "one:big"])
async def test_what_nobody_serves_is_unknown(stand: ChatStand, name: str) -> None:
    with pytest.raises(ModelUnknown):
        await stand.chats.stream(_call(name), vip=True)


async def test_a_model_for_vips_is_refused_to_others(stand: ChatStand) -> None:
    with pytest.raises(ModelForbidden):
        await stand.chats.complete(_call("precious"), vip=False)
    stand.one.will(whole())
    await stand.chats.complete(_call("precious"), vip=True)

    assert "precious" not in [card.name for card in stand.chats.models(vip=False)]
    assert stand.chats.model("precious", vip=True).vip


def test_a_model_promises_what_all_its_routes_keep(stand: ChatStand) -> None:
    facts = stand.chats.model("alias", vip=False).facts

    assert (facts.window, facts.output, facts.vision, facts.tools) == (1000, 100, False, False)
    assert [card.name for card in stand.chats.models(vip=True)] == ["alias", "alone", "growing", "precious"]


async def test_pictures_and_tools_go_where_they_are_understood(stand: ChatStand) -> None:
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]
    stand.two.will(whole())
    stand.one.will(whole())

    seen = await stand.chats.complete(_call("alias", messages=picture), vip=False)
    called = await stand.chats.complete(_call("alias", tools=[{"type": "function"}]), vip=False)

    assert (seen.receipt.provider, called.receipt.provider) == ("two", "one")
    with pytest.raises(CallRefused, match="pictures"):
        await stand.chats.complete(_call("alone", messages=picture), vip=False)
    with pytest.raises(CallRefused, match="tools"):
        await stand.chats.complete(_call("growing", tools=[{"type": "function"}]), vip=False)


async def test_the_document_changes_while_it_runs(stand: ChatStand) -> None:
    changed = {**DOCUMENT, "models": {"alias": {"routes": ["two:big"]}}}
    stand.document.apply(orjson.dumps(changed))
    stand.two.will(whole())

    answer = await stand.chats.complete(_call("alias"), vip=False)

    assert answer.receipt.provider == "two"


# Retries


@pytest.mark.parametrize(
    "first",
    [
        failing(500),
        failing(503),
        failing(409),
        failing(429),
        Script([Cut()]),
        Script([delta("", role="assistant"), Cut()]),
    ],
    ids=["500", "503", "409", "429", "cut", "cut after the role"],
)
async def test_what_may_pass_is_asked_again_before_the_first_token(stand: ChatStand, first: Script) -> None:
    stand.one.will(first, first, Script(told("Hi")))

    found = await heard(await stand.chats.stream(_call("alone"), vip=False))

    assert (found.failure, found.text, len(stand.one.asked)) == (None, "Hi", 3)


async def test_it_is_asked_three_times_at_most(stand: ChatStand) -> None:
    stand.one.will(*[failing(500)] * 9)

    with pytest.raises(ProviderDown):
        await stand.chats.complete(_call("alone"), vip=False)

    assert len(stand.one.asked) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        failing(429, code="insufficient_quota", headers={"Retry-After": "0"}),
        failing(429, headers={"x-should-retry": "false"}),
        failing(429, headers={"Retry-After": "60"}),
        failing(401),
        failing(404),
        failing(400),
        Script([Hang()]),
    ],
    ids=["no money", "told not to", "much later", "key", "no model", "wrong", "silent"],
)
async def test_what_will_not_pass_is_not_asked_again(stand: ChatStand, refusal: Script) -> None:
    stand.one.will(refusal, Script(told("Hi")))

    with pytest.raises(ProviderFailed):
        await stand.chats.stream(_call("alone"), vip=False)

    assert len(stand.one.asked) == 1


async def test_the_time_that_a_provider_asks_for_is_kept_by_everybody(stand: ChatStand) -> None:
    stand.one.will(failing(429, headers={"retry-after-ms": "150"}), whole(), whole())
    begun = time.monotonic()

    first = asyncio.create_task(stand.chats.complete(_call("alone"), vip=False))
    await stand.one.hears(1)
    await asyncio.sleep(0.02)  # until the answer is back
    await asyncio.gather(first, stand.chats.complete(_call("alone"), vip=False))

    assert time.monotonic() - begun >= 0.15
    assert len(stand.one.asked) == 3


async def test_a_long_pause_is_told_to_others_without_asking(stand: ChatStand) -> None:
    stand.one.will(failing(429, headers={"Retry-After": "60"}))

    for _ in range(2):
        with pytest.raises(ProviderThrottled) as failure:
            await stand.chats.complete(_call("alone"), vip=False)

    assert isinstance(failure.value, ProviderBusy)
    assert failure.value.retry_after is not None
    assert 50 < failure.value.retry_after <= 60
    assert len(stand.one.asked) == 1


async def test_after_the_first_token_nothing_is_asked_again(stand: ChatStand) -> None:
    stand.one.will(Script([delta("Hel"), Cut()]), Script(told("Hello")))
    stand.two.will(Script(told("Hello")))

    found = await heard(await stand.chats.stream(_call("alias"), vip=False))

    assert isinstance(found.failure, ChatInterrupted)
    assert (found.text, len(stand.one.asked), len(stand.two.asked)) == ("Hel", 1, 0)


# Fallback


@pytest.mark.parametrize(
    "failure",
    [
        failing(500),
        failing(401),
        failing(404),
        failing(429, code="insufficient_quota"),
        Script([Hang()]),
        Script([Cut()]),
    ],
    ids=["500", "key", "no model", "no money", "silent", "cut"],
)
async def test_the_next_model_answers_when_the_first_cannot(stand: ChatStand, failure: Script) -> None:
    stand.one.will(*[failure] * 3)
    stand.two.will(Script(told("Hi")))

    stream = await stand.chats.stream(_call("alias"), vip=False)
    found = await heard(stream)

    assert (found.text, stream.provider) == ("Hi", "two")
    assert (await stream.receipt()).provider == "two"


async def test_a_wrong_request_is_wrong_everywhere(stand: ChatStand) -> None:
    stand.one.will(failing(400, message="temperature is too high"))

    with pytest.raises(CallRefused, match="temperature"):
        await stand.chats.stream(_call("alias"), vip=False)

    assert stand.two.asked == []


async def test_what_is_too_long_goes_only_to_a_larger_window(stand: ChatStand) -> None:
    stand.one.will(failing(400, code="context_length_exceeded"))
    stand.two.will(whole())

    answer = await stand.chats.complete(_call("growing"), vip=False)

    assert answer.receipt.provider_model == "big"
    assert [asked.body["model"] for asked in stand.two.asked] == ["big"]


async def test_what_is_too_long_for_all_is_told_as_that(stand: ChatStand) -> None:
    stand.one.will(*[failing(500)] * 3)
    stand.two.will(failing(400, code="context_length_exceeded"))

    with pytest.raises(ContextTooLong):
        await stand.chats.complete(_call("alias"), vip=False)


async def test_when_none_answers_the_first_ones_failure_is_told(stand: ChatStand) -> None:
    stand.one.will(failing(401, message="Incorrect API key provided: sk-0123456789"))
    stand.two.will(*[failing(500)] * 3)

    with pytest.raises(ProviderBlocked) as failure:
        await stand.chats.complete(_call("alias"), vip=False)

    assert failure.value.status == 502
    assert "key" not in failure.value.message.lower()


# Limits


async def test_no_more_than_allowed_run_at_once(stand: ChatStand) -> None:
    stand.one.will(*[Script([delta("Hi"), 0.02, delta(finish="stop")])] * 8)

    async def one() -> None:
        assert (await heard(await stand.chats.stream(_call("alone"), vip=False))).text == "Hi"

    await asyncio.gather(*(one() for _ in range(8)))

    assert stand.one.most_at_once == 2


async def test_a_call_waits_for_its_place_but_not_for_ever(stand: ChatStand) -> None:
    stand.one.will(*[Script([delta("Hi"), Hang()])] * 2, whole())
    held = [await stand.chats.stream(_call("alone"), vip=False) for _ in range(2)]

    with pytest.raises(ProviderBusy) as failure:
        await stand.chats.complete(_call("alone"), vip=False)
    assert failure.value.retry_after is not None

    await held[0].aclose()
    await stand.chats.complete(_call("alone"), vip=False)
    await held[1].aclose()


ENDINGS: dict[str, list[Step]] = {
    "whole": [delta("Hi"), delta(finish="stop")],
    "interrupted": [delta("Hi"), Cut()],
    "failed": [Cut()],
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_ending_gives_the_place_back(stand: ChatStand, name: str) -> None:
    """There are two places; a leak of one each time would show."""
    stand.one.will(*[Script(ENDINGS[name])] * 6)
    while stand.one.scripts:
        with suppress(ProviderFailed):
            await heard(await stand.chats.stream(_call("alone"), vip=False))
    stand.one.will(*[Script([delta("Hi"), Hang()])] * 2)

    held = [await stand.chats.stream(_call("alone"), vip=False) for _ in range(2)]

    await asyncio.gather(*(stream.aclose() for stream in held))


async def test_who_gives_up_waiting_gives_the_place_back(stand: ChatStand) -> None:
    for number in range(5):
        stand.one.will(Script([Hang()]))
        asking = asyncio.create_task(stand.chats.stream(_call("alone"), vip=False))
        await stand.one.hears(number + 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    stand.one.will(whole())

    await stand.chats.complete(_call("alone"), vip=False)
