"""Every mishap that can be ordered, as our own client and the vendor's SDK meet it: the fault table of reference/chat.md §4.4."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest

from hutong.kernel.gateway.errors import (
    AnswerLost,
    CallRefused,
    ChatInterrupted,
    ContextTooLong,
    ModelUnknown,
    ProviderBlocked,
    ProviderDown,
    ProviderFailed,
    ProviderThrottled,
    ProviderTooSlow,
)
from hutong.kernel.http.outbound import Outbound
from hutong.kit.clock import ManualClock
from support.chat_bench import CALL, client_of, heard
from support.deadlines import until
from support.openai_sandbox import MODEL, OpenAIBench, openai_bench, said

Ordered = tuple[str, Mapping[str, Any]]
BEFORE: dict[str, tuple[Ordered, type[ProviderFailed]]] = {
    "500": (("fail", {}), ProviderDown),
    "a proxy's page": (("fail", {"code": "bad_gateway"}), ProviderDown),
    "503": (("fail", {"code": "overloaded"}), ProviderThrottled),
    "no money": (("fail", {"code": "insufficient_quota"}), ProviderBlocked),
    "a key that is refused": (("fail", {"code": "invalid_api_key"}), ProviderBlocked),
    "no such model": (("fail", {"code": "model_not_found"}), ModelUnknown),
    "too long": (("fail", {"code": "context_length_exceeded"}), ContextTooLong),
    "not allowed": (("fail", {"code": "content_policy_violation"}), CallRefused),
    "429": (("throttle", {"seconds": 1.5}), ProviderThrottled),
    "429 without a time": (("throttle", {}), ProviderThrottled),
    "silent at once": (("hang", {}), ProviderTooSlow),
    "cut at once": (("cut", {}), AnswerLost),
    "nonsense at once": (("malformed", {}), ProviderDown),
    "late": (("slow", {"seconds": 30}), ProviderTooSlow),
}
STREAM_BEFORE: dict[str, tuple[Ordered, type[ProviderFailed]]] = {
    "silent before the first token": (("hang", {"after": 0}), ProviderTooSlow),
    "cut before the first token": (("cut", {"after": 0}), AnswerLost),
    "over before the first token": (("end-early", {"after": 0}), AnswerLost),
    "an error event at once": (("error-event", {}), ProviderDown),
    "busy in an event": (("error-event", {"code": "rate_limit_exceeded"}), ProviderThrottled),
    "no money in an event": (("error-event", {"code": "insufficient_quota"}), ProviderBlocked),
    "no chunk at once": (("malformed", {"what": "chunk"}), ProviderDown),
    "no UTF-8 at once": (("malformed", {"what": "utf8"}), ProviderDown),
}
INTERRUPTIONS: dict[str, tuple[Ordered, str]] = {
    "silence": (("hang", {"after": 3}), "silent"),
    "a cut": (("cut", {"after": 3}), "cut"),
    "a clean end": (("end-early", {"after": 3}), "ended_early"),
    "an error event": (("error-event", {"after": 3}), "server_error"),
    "no JSON": (("malformed", {"after": 3}), "malformed"),
    "no chunk": (("malformed", {"after": 3, "what": "chunk"}), "malformed"),
    "no UTF-8": (("malformed", {"after": 3, "what": "utf8"}), "malformed"),
    "a pause that is too long": (("pace", {"seconds": 30}), "silent"),
}
QUESTION = replace(CALL, body={"messages": said("Tell me about hutongs")})


async def _fails(bench: OpenAIBench, outbound: Outbound, way: str, ordered: Ordered) -> ProviderFailed:
    """How a call fails with a mishap; the call after it is well."""
    client = client_of(bench.base_url, outbound, first_token=0.4, between_tokens=0.4, whole=0.4)
    await bench.press(ordered[0], **ordered[1])
    ask = client.stream if way == "stream" else client.complete
    with pytest.raises(ProviderFailed) as failure:
        await ask(QUESTION, MODEL)
    assert (await client_of(bench.base_url, outbound).complete(QUESTION, MODEL)).finish_reason == "stop"
    return failure.value


@pytest.mark.parametrize("way", ["stream", "whole"])
@pytest.mark.parametrize("name", BEFORE)
async def test_a_mishap_of_any_answer(bench: OpenAIBench, outbound: Outbound, name: str, way: str) -> None:
    ordered, kind = BEFORE[name]

    failure = await _fails(bench, outbound, way, ordered)

    assert type(failure) is kind
    assert failure.retry_after == (1.5 if name == "429" else None)


@pytest.mark.parametrize("name", STREAM_BEFORE)
async def test_a_mishap_before_the_first_token(bench: OpenAIBench, outbound: Outbound, name: str) -> None:
    ordered, kind = STREAM_BEFORE[name]

    assert type(await _fails(bench, outbound, "stream", ordered)) is kind


@pytest.mark.parametrize("name", INTERRUPTIONS)
async def test_a_mishap_within_a_stream(bench: OpenAIBench, outbound: Outbound, name: str) -> None:
    """Exactly what came before it is there; the call after it is whole."""
    (button, fields), reason = INTERRUPTIONS[name]
    client = client_of(bench.base_url, outbound, between_tokens=0.4)
    good = await heard(await client.stream(QUESTION, MODEL))
    await bench.press(button, **fields)

    found = await heard(await client.stream(QUESTION, MODEL))

    assert isinstance(found.failure, ChatInterrupted)
    assert found.failure.vendor_code == reason
    deltas = [delta.text for delta in good.deltas if delta.text][: fields.get("after", 1)]
    assert found.text == "".join(deltas) != ""
    assert [delta for delta in found.deltas if delta.usage] == []
    assert (await heard(await client.stream(QUESTION, MODEL))).text == good.text


async def test_only_the_done_is_missing(bench: OpenAIBench, outbound: Outbound) -> None:
    """All that was to be said was said: our client takes it, and its usage."""
    client = client_of(bench.base_url, outbound)
    await bench.press("end-early")

    found = await heard(await client.stream(QUESTION, MODEL))
    await bench.press("end-early")
    _, content, _ = await bench.raw(stream=True)

    assert found.failure is None and found.deltas[-1].usage is not None
    assert b'"finish_reason":"stop"' in content and b"[DONE]" not in content


@pytest.mark.parametrize("way", ["stream", "whole"])
async def test_usage_that_is_not_told(bench: OpenAIBench, outbound: Outbound, way: str) -> None:
    client = client_of(bench.base_url, outbound)
    await bench.press("no-usage")

    if way == "stream":
        found = await heard(await client.stream(QUESTION, MODEL))
        assert (found.failure, [delta for delta in found.deltas if delta.usage]) == (None, [])
    else:
        assert (await client.complete(QUESTION, MODEL)).usage is None
    assert (await client.complete(QUESTION, MODEL)).usage is not None


# The vendor's own SDK


async def test_the_sdk_waits_as_long_as_it_is_told(bench: OpenAIBench) -> None:
    await bench.press("throttle", seconds=0.3)
    begun = time.monotonic()

    answer = await bench.sdk.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=said("Hi"))

    assert answer.choices[0].finish_reason == "stop"
    assert time.monotonic() - begun >= 0.3
    totals = (await bench.state())["totals"]
    assert (totals["whole"], totals["refused"], totals["answered"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("button", "fields", "code"),
    [
        ("throttle", {"seconds": 1, "should_retry": "false"}, "rate_limit_exceeded"),
        ("fail", {"code": "insufficient_quota"}, "insufficient_quota"),
    ],
)
async def test_the_sdk_is_told_that_asking_again_is_useless(
    bench: OpenAIBench, button: str, fields: dict[str, Any], code: str
) -> None:
    await bench.press(button, **fields)

    with pytest.raises(openai.RateLimitError) as failure:
        await bench.sdk.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=said("Hi"))

    assert (failure.value.code, failure.value.response.headers["x-should-retry"]) == (code, "false")
    assert (await bench.state())["totals"]["whole"] == 1


async def test_todays_sdk_takes_a_clean_end_for_the_whole(bench: OpenAIBench) -> None:
    """Why an incomplete answer of ours must never end cleanly."""

    async def told(button: str) -> list[str]:
        await bench.press(button, after=3)
        stream = await bench.sdk.chat.completions.create(model=MODEL, messages=said("Hi"), stream=True)
        return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert len([text for text in await told("end-early") if text]) == 3
    with pytest.raises(openai.APIConnectionError):
        await told("cut")
    with pytest.raises(openai.APIError, match="error while processing"):
        await told("error-event")


# Order and measure


async def test_a_mishap_is_used_up_by_the_calls_that_it_is_meant_for(bench: OpenAIBench) -> None:
    await bench.press("fail", on="stream", times=2)

    assert (await bench.raw())[0] == 200
    assert [(await bench.raw(stream=True))[0] for _ in range(3)] == [500, 500, 200]


async def test_a_mishap_without_a_number_stays_until_it_is_taken_back(bench: OpenAIBench) -> None:
    state = await bench.press("fail", code="overloaded", times="")
    assert [(await bench.raw())[0] for _ in range(3)] == [503, 503, 503]

    await bench.press("disarm", id=state["faults"][0]["id"])

    assert (await bench.raw())[0] == 200


async def test_a_refused_key_uses_up_nothing(bench: OpenAIBench) -> None:
    await bench.press("fail")
    with pytest.raises(openai.AuthenticationError):
        await bench.sdk.with_options(api_key="sk-x").chat.completions.create(model=MODEL, messages=said("Hi"))

    assert (await bench.raw())[0] == 500


async def test_a_stream_is_paced(tmp_path: Path) -> None:
    """The first token and each delta come in their time."""
    async with openai_bench(tmp_path, first_token_seconds=0.1, between_tokens_seconds=0.01) as bench:
        await bench.press("slow", seconds=0.2)
        begun, times = time.monotonic(), list[float]()
        async for chunk in await bench.sdk.chat.completions.create(
            model=MODEL, messages=said("Hi"), stream=True, max_tokens=24
        ):
            if chunk.choices[0].delta.content:
                times.append(time.monotonic() - begun)

    assert times[0] >= 0.3
    assert times[-1] - times[0] >= 0.01 * (len(times) - 1)


async def test_a_caller_who_leaves_is_noticed(bench: OpenAIBench) -> None:
    await bench.press("hang", after=3)
    stream = await bench.sdk.chat.completions.create(model=MODEL, messages=said("Hi"), stream=True)
    async with asyncio.timeout(5):
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    assert (await bench.state())["running"] == 1
    await stream.close()

    async def gone() -> Any:
        state = await bench.state()
        return state if state["running"] == 0 else None

    state = await until(gone)
    (call,) = state["calls"]
    assert call["outcome"] in {"left", "hang"} and 0 < call["completion"] < 20


async def test_the_accounts_limits_count_and_refill(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    async with openai_bench(tmp_path, clock) as bench:
        await bench.press("limits", requests_per_minute=2, tokens_per_minute=1000)
        create = bench.sdk.chat.completions.with_raw_response.create
        first = await create(model=MODEL, messages=said("Hi"))
        await create(model=MODEL, messages=said("Hi"))
        with pytest.raises(openai.RateLimitError) as refused:
            await create(model=MODEL, messages=said("Hi"))
        clock.advance(30)
        with pytest.raises(openai.RateLimitError) as too_many:
            await create(model=MODEL, messages=said("word " * 1200))
        again = await create(model=MODEL, messages=said("Hi"))
        await bench.press("restore-limits")
        restored = await create(model=MODEL, messages=said("Hi"))

    assert (first.headers["x-ratelimit-limit-requests"], first.headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert first.headers["x-ratelimit-reset-requests"] == "30s"
    assert (refused.value.code, refused.value.type) == ("rate_limit_exceeded", "requests")
    assert refused.value.response.headers["retry-after"] == "30"
    assert too_many.value.type == "tokens"
    assert again.headers["x-ratelimit-remaining-requests"] == "0"
    assert restored.headers["x-ratelimit-limit-requests"] == "30000"


async def test_two_processes_share_mishaps_and_calls(tmp_path: Path) -> None:
    async with openai_bench(tmp_path) as one, openai_bench(tmp_path) as two:
        await one.press("fail")
        assert [(await two.raw())[0], (await one.raw())[0]] == [500, 200]
        assert [call["status"] for call in (await two.state())["calls"]] == [200, 500]
