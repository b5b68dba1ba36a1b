"""POST /v1/chat/completions through the official SDK: answers, streams, tools; what each costs, and how each failure reads."""

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from support.deadlines import until
from support.openai_client import HI, MODEL, records_of, sdk_of
from support.scripted_vendor import DONE, ROLE, Cut, Hang, Script, delta, failing, told, usage, whole
from support.talk_room import Room
from support.talker import Talker

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


async def test_an_answer_comes_is_charged_and_recorded(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(whole("Hello", usage=COUNTS))
    raw = await sdk.chat.completions.with_raw_response.create(model=MODEL, messages=HI)
    answer = raw.parse()
    (record,) = await records_of(room.stand, talker)

    assert (answer.choices[0].message.content, answer.model) == ("Hello", MODEL)
    assert answer.usage is not None and answer.usage.total_tokens == 10
    assert await room.charged(talker) == (1, 10)
    assert (record["model"], record["prompt_tokens"], record["completion_tokens"]) == (MODEL, 7, 3)
    assert (record["status"], record["source"], record["request_id"]) == ("complete", "completion", answer._request_id)
    assert record["api_key_id"] is not None
    assert {"x-request-id", "openai-processing-ms", "x-ratelimit-reset-requests"} <= set(raw.headers)
    assert raw.headers["x-ratelimit-limit-requests"] == "100"
    assert raw.headers["x-ratelimit-remaining-requests"] == "99"


async def test_a_stream_ends_with_its_usage_for_those_who_ask(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script(told("Hel", "lo")), Script(told("Hel", "lo")))
    plain = [each async for each in await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True)]
    wished: Any = {"include_usage": True}
    asked = [
        each
        async for each in await sdk.chat.completions.create(
            model=MODEL, messages=HI, stream=True, stream_options=wished
        )
    ]

    assert "".join(each.choices[0].delta.content or "" for each in plain) == "Hello"
    assert plain[-1].choices[0].finish_reason == "stop"
    assert all(each.usage is None for each in plain)
    assert asked[-1].usage is not None and asked[-1].usage.prompt_tokens == 9 and not asked[-1].choices
    assert await room.charged(talker) == (2, 22)


async def test_what_is_asked_reaches_the_provider_unchanged(room: Room, sdk: AsyncOpenAI) -> None:
    """Tools, formats, choices, log probabilities, and parameters that nobody here knows."""
    asked: dict[str, Any] = {
        "messages": HI,
        "n": 2,
        "stop": ["x"],
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": {"type": "json_object"},
        "seed": 4,
    }
    room.vendor.will(whole())
    await sdk.chat.completions.create(model=MODEL, **asked, extra_body={"enable_thinking": False})

    assert {**asked, "enable_thinking": False}.items() <= room.vendor.asked[0].body.items()


async def test_calls_of_tools_pass_in_pieces(room: Room, sdk: AsyncOpenAI) -> None:
    function = {"name": "weather", "arguments": ""}
    first = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    more = (
        [{"index": 0, "function": {"arguments": '{"city":"Bei'}}],
        [{"index": 0, "function": {"arguments": 'jing"}'}}],
    )
    steps = [ROLE, delta(tool_calls=first), *(delta(tool_calls=each) for each in more), delta(finish="tool_calls")]
    room.vendor.will(Script([*steps, usage(9, 9), DONE]))
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    async with sdk.chat.completions.stream(model=MODEL, messages=HI, tools=tools) as stream:
        answer = await stream.get_final_completion()

    calls = answer.choices[0].message.tool_calls
    assert calls is not None and calls[0].id == "call_1" and calls[0].function.arguments == '{"city":"Beijing"}'
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_stream_that_is_cut_ends_in_an_error(room: Room, sdk: AsyncOpenAI, talker: Talker, secret: str) -> None:
    """No [DONE], which clients would take for success; what was generated is charged, as it was counted here."""
    room.vendor.will(Script([ROLE, delta("one"), delta(" two"), Cut()]))
    texts = []

    async def hear() -> None:
        async for each in await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True):
            texts.append(each.choices[0].delta.content)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(openai.APIError, match="broke off") as caught:
        await hear()
    (record,) = await records_of(room.stand, talker)

    assert texts == ["", "one", " two"]
    assert (caught.value.code, caught.value.type) == ("stream_interrupted", "server_error")
    assert (record["status"], record["completion_tokens"]) == ("interrupted", 2)
    assert await room.charged(talker) == (1, record["prompt_tokens"] + 2)
    room.vendor.will(Script([ROLE, delta("one"), Cut()]))
    assert b"[DONE]" not in await _raw(room, secret)


async def _raw(room: Room, secret: str) -> bytes:
    sent = {"Authorization": f"Bearer {secret}"}
    body = {"model": MODEL, "messages": HI, "stream": True}
    url = f"{room.stand.base}/chat/v1/chat/completions"
    async with room.stand.client.post(url, json=body, headers=sent) as answer:
        return await answer.read()


async def test_whoever_leaves_is_charged_for_what_was_generated(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    """And the provider is let go at once."""
    room.vendor.will(Script([ROLE, delta("one"), delta(" two"), Hang()]))
    stream = await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True)
    async for each in stream:
        if each.choices[0].delta.content == " two":
            break
    await stream.close()
    await asyncio.wait_for(room.vendor.left.wait(), 5)
    (record,) = await until(lambda: records_of(room.stand, talker))

    assert (record["status"], record["completion_tokens"]) == ("stopped", 2)
    assert await room.charged(talker) == (1, record["prompt_tokens"] + 2)


async def test_what_fails_before_the_first_token_costs_nothing(room: Room, secret: str, talker: Talker) -> None:
    async with sdk_of(room.stand.base, secret, max_retries=0) as sdk:
        for stream in (False, True):
            room.vendor.will(failing(500))
            with pytest.raises(openai.InternalServerError) as caught:
                await sdk.chat.completions.create(model=MODEL, messages=HI, stream=stream)
            assert caught.value.type == "server_error"

    assert await room.charged(talker) == (0, 0)
    assert await records_of(room.stand, talker) == []


async def test_the_operators_key_is_not_the_callers(room: Room, secret: str) -> None:
    """A provider that refuses our key is "not available": the caller's own key is good, and nothing is said of ours."""
    room.vendor.will(failing(401, message="Incorrect API key provided: sk-x", code="invalid_api_key"))
    async with sdk_of(room.stand.base, secret, max_retries=0) as sdk:
        with pytest.raises(openai.InternalServerError) as caught:
            await sdk.chat.completions.create(model=MODEL, messages=HI)

    assert (caught.value.status_code, caught.value.code) == (503, "model_not_available")
    assert "key" not in str(caught.value).lower()


async def test_the_sdk_comes_again_when_a_provider_is_busy(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    """429 of the provider reads 503 with its Retry-After, which the SDK follows: the second call is answered."""
    room.vendor.will(failing(429, headers={"Retry-After": "1"}), whole("Hello", usage=COUNTS))
    answer = await sdk.chat.completions.create(model=MODEL, messages=HI)

    assert answer.choices[0].message.content == "Hello"
    assert await room.charged(talker) == (1, 10)


async def test_wrong_keys_are_refused(room: Room, secret: str) -> None:
    """One that is none, one that was mistyped, an access token of nobody; a good access token opens, too."""
    for wrong in ("sk-of-somebody-else", secret[:-1] + ("a" if secret[-1] != "a" else "b"), "hk-nothing"):
        async with sdk_of(room.stand.base, wrong) as sdk:
            with pytest.raises(openai.AuthenticationError) as caught:
                await sdk.chat.completions.create(model=MODEL, messages=HI)
            assert caught.value.code == "invalid_api_key"
    room.vendor.will(whole("Hello"))
    async with sdk_of(room.stand.base, (await room.talker()).token) as sdk:
        assert (await sdk.chat.completions.create(model=MODEL, messages=HI)).choices[0].message.content == "Hello"


async def test_an_exhausted_quota_is_asked_once(room: Room, sdk: AsyncOpenAI) -> None:
    """The SDK would come back twice at once if it were not told not to."""
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.chat.completions.create(model=MODEL, messages=HI, n=128, max_tokens=10_000)
    answer = caught.value.response

    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false" and int(answer.headers["retry-after"]) > 0
    assert answer.request.headers["x-stainless-retry-count"] == "0"
    assert room.vendor.asked == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": HI}, "model"),
        ({"model": MODEL}, "messages"),
        ({"model": MODEL, "messages": []}, "messages"),
        ({"model": MODEL, "messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"model": MODEL, "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"model": MODEL, "messages": HI, "temperature": "hot"}, "temperature"),
        ({"model": MODEL, "messages": HI, "max_tokens": 0}, "max_tokens"),
        ({"model": MODEL, "messages": HI, "n": 1_000_000}, "n"),
        ({"model": MODEL, "messages": HI, "stream": "yes"}, "stream"),
        ({"model": MODEL, "messages": HI, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"model": MODEL, "messages": HI, "tools": [1]}, "tools"),
        ([], None),
    ],
)
async def test_what_is_wrong_is_named(room: Room, talker: Talker, secret: str, body: Any, param: str | None) -> None:
    url = f"{room.stand.base}/chat/v1/chat/completions"
    async with room.stand.client.post(url, json=body, headers={"Authorization": f"Bearer {secret}"}) as answer:
        error = (await answer.json())["error"]

    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert await room.charged(talker) == (0, 0)


async def test_models_are_listed(room: Room, sdk: AsyncOpenAI) -> None:
    listed = [model async for model in sdk.models.list()]
    one = await sdk.models.retrieve(MODEL)
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.models.retrieve("nothing")

    assert MODEL in [model.id for model in listed] and one.id == MODEL
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_what_is_not_there_is_said_in_the_same_words(room: Room, secret: str) -> None:
    """Also by the router: no body of the app's own form under /v1."""
    sent = {"Authorization": f"Bearer {secret}"}
    async with room.stand.client.get(f"{room.stand.base}/chat/v1/nothing", headers=sent) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_url")
    async with room.stand.client.get(f"{room.stand.base}/chat/v1/chat/completions", headers=sent) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (405, "invalid_request_error")
