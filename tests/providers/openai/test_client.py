"""The client against a vendor that follows scripts: every failure of reference/chat.md §2.1 and §4.4, over real sockets."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

from hutong.kernel.gateway.chat import ChatCall, Usage
from hutong.kernel.gateway.errors import (
    AnswerLost,
    CallRefused,
    ChatInterrupted,
    ContextTooLong,
    ModelUnknown,
    ProviderBlocked,
    ProviderDown,
    ProviderFailed,
    ProviderResting,
    ProviderThrottled,
    ProviderTooSlow,
)
from hutong.kernel.http.outbound import Outbound
from hutong.providers.openai.client import OpenAIChat
from support.chat_bench import CALL, KEY, client_of, heard
from support.scripted_vendor import (
    DONE,
    ROLE,
    Cut,
    Hang,
    Script,
    ScriptedVendor,
    Step,
    delta,
    event,
    failing,
    told,
    usage,
    whole,
)

# What is asked


async def test_what_the_caller_asked_goes_out_unchanged_but_for_what_is_ours(
    client: OpenAIChat, vendor: ScriptedVendor
) -> None:
    vendor.will(Script(told("Hi")))
    body = {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "n": 2,
        "stop": ["."],
        "response_format": {"type": "json_object"},
        "logprobs": True,
        "model": "whatever",
        "user": "mallory@example.com",
        "safety_identifier": "mallory",
        "stream_options": {"include_obfuscation": False},
    }

    await heard(await client.stream(ChatCall("alias", body, 42, "req-of-ours"), "gpt-4o-mini"))

    (asked,) = vendor.asked
    ours = {
        "model": "gpt-4o-mini",
        "user": "digest-of-42",
        "stream": True,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }
    theirs = {name: body[name] for name in ("messages", "tools", "n", "stop", "response_format", "logprobs")}
    assert asked.body == theirs | ours
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["x-request-id"] == "req-of-ours"


# Whole answers


async def test_a_whole_answer_is_passed_on_under_the_callers_name_of_the_model(
    client: OpenAIChat, vendor: ScriptedVendor
) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 3}}
    vendor.will(whole("Hello", usage={"prompt_tokens": 5, "completion_tokens": 2, **details}, system_fingerprint="fp"))

    answer = await client.complete(CALL, "gpt-4o-mini")

    body = orjson.loads(answer.body)
    assert (body["model"], body["system_fingerprint"]) == ("alias", "fp")
    assert (answer.text, answer.finish_reason, answer.request_id) == ("Hello", "stop", "req_1")
    assert answer.usage == Usage(5, 2, cached=3)
    assert vendor.asked[0].body["stream"] is False
    assert "stream_options" not in vendor.asked[0].body


async def test_no_usage_is_not_a_usage_of_nought(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(whole(), whole(usage={"prompt_tokens": 0, "completion_tokens": 0}), whole(usage={"prompt_tokens": -1}))

    given = [(await client.complete(CALL, "m")).usage for _ in range(3)]

    assert given == [None, Usage(0, 0), None]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>", ProviderDown),
        (b"[]", ProviderDown),
        (b'{"choices":[]}', ProviderDown),
        (b'{"choices":[{"message":"text"}]}', ProviderDown),
        (b'{"error":{"message":"m","code":"rate_limit_exceeded"}}', ProviderThrottled),
    ],
)
async def test_a_200_that_is_no_answer(
    client: OpenAIChat, vendor: ScriptedVendor, body: bytes, kind: type[ProviderFailed]
) -> None:
    vendor.will(Script([body], headers={"Content-Type": "application/json"}))

    with pytest.raises(kind):
        await client.complete(CALL, "m")


# Streams


async def test_a_stream_as_the_vendor_tells_it(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(Script(told("Hel", "lo ", "胡同"), headers={"x-request-id": "req_2"}))

    stream = await client.stream(CALL, "m")
    found = await heard(stream)

    assert (found.failure, found.text, stream.request_id) == (None, "Hello 胡同", "req_2")
    assert [each.finish_reason for each in found.deltas if each.finish_reason] == ["stop"]
    assert [(each.usage, each.usage_only) for each in found.deltas if each.usage] == [(Usage(9, 3), True)]
    chunks = [orjson.loads(each.raw) for each in found.deltas]
    assert {chunk["model"] for chunk in chunks} == {"alias"}
    assert chunks[0]["choices"][0]["delta"] == {"content": "", "role": "assistant"}
    assert ["usage" in chunk for chunk in chunks] == [False] * 5 + [True]


async def test_a_caller_who_wants_the_usage_gets_its_nulls_too(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(Script(told("Hi")))
    call = ChatCall("alias", {"messages": [], "stream_options": {"include_usage": True}}, 1, "")

    found = await heard(await client.stream(call, "m"))

    assert all("usage" in orjson.loads(each.raw) for each in found.deltas)


async def test_bytes_may_be_cut_anywhere(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    """Every byte in a packet of its own, with CRLF, comments and a character of three bytes."""
    content = b"".join(step for step in told("胡", "同") if isinstance(step, bytes)).replace(b"\n", b"\r\n")
    content = b": ping\r\n\r\n" + content
    vendor.will(Script([content[at : at + 1] for at in range(len(content))]))

    found = await heard(await client.stream(CALL, "m"))

    assert (found.failure, found.text) == (None, "胡同")


async def test_tools_reasoning_and_other_choices_are_counted_beside_the_text(
    client: OpenAIChat, vendor: ScriptedVendor
) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city"'}}
    steps = [
        delta(reasoning_content="Hm. "),
        delta(tool_calls=[call]),
        delta("other", index=1),
        delta(finish="tool_calls"),
        delta(finish="stop", index=1),
        DONE,
    ]
    vendor.will(Script(steps))

    found = await heard(await client.stream(CALL, "m"))

    assert (found.failure, found.text) == (None, "")
    assert "".join(each.beside for each in found.deltas) == 'Hm. weather{"city"other'
    assert orjson.loads(found.deltas[1].raw)["choices"][0]["delta"]["tool_calls"] == [call]


async def test_the_connection_of_a_whole_stream_is_used_again(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(*[Script(told("Hi"))] * 3)

    for _ in range(3):
        assert (await heard(await client.stream(CALL, "m"))).failure is None

    assert vendor.connections == 1


# Ends


PINGS: list[Step] = [b": ping\n\n", 0.05] * 40
SLOWLY: list[Step] = [delta("a"), 0.05] * 40

ENDS: dict[str, list[Step]] = {
    "without a DONE": [delta("Hi"), delta(finish="stop")],
    "cut after the last word": [delta("Hi"), delta(finish="stop"), Cut()],
    "without the last blank line": [delta("Hi"), delta(finish="stop"), b"data: [DONE]"],
    "open for ever after the DONE": [delta("Hi"), delta(finish="stop"), DONE, Hang()],
    "DONE without a reason": [delta("Hi"), DONE],
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_stream_is_whole_when_it_ends(client: OpenAIChat, vendor: ScriptedVendor, name: str) -> None:
    vendor.will(Script(ENDS[name]))

    found = await heard(await client.stream(CALL, "m"))

    assert (found.failure, found.text) == (None, "Hi")


INTERRUPTIONS: dict[str, tuple[list[Step], str]] = {
    "cut": ([delta("Hel"), delta("lo"), Cut()], "cut"),
    "cut in the same packet": ([ROLE + delta("Hel") + delta("lo"), Cut()], "cut"),
    "cut within an event": ([delta("Hel") + delta("lo"), b'data: {"choices":[{"del', Cut()], "cut"),
    "ended cleanly": ([delta("Hel"), delta("lo")], "ended_early"),
    "one of two choices unfinished": (
        [delta("Hel"), delta("lo"), delta("x", index=1), delta(finish="stop", index=1)],
        "ended_early",
    ),
    "an error event": (
        [delta("Hel") + delta("lo") + b'data: {"error":{"message":"m","code":"server_error"}}\n\n'],
        "server_error",
    ),
    "an error event with a DONE": ([delta("Hel"), delta("lo"), b'data: {"error":"boom"}\n\n', DONE], "error_event"),
    "no JSON": ([delta("Hel") + delta("lo") + b"data: {nonsense\n\n", DONE], "malformed"),
    "no chunk": ([delta("Hel"), delta("lo"), b"data: [1]\n\n", DONE], "malformed"),
    "no choices": ([delta("Hel"), delta("lo"), b'data: {"a":1}\n\n', DONE], "malformed"),
    "invalid UTF-8": ([delta("Hel"), delta("lo"), delta("x").replace(b"x", b"\xff")], "malformed"),
    "silence": ([delta("Hel"), delta("lo"), Hang()], "silent"),
    "comments only": ([delta("Hel"), delta("lo"), *PINGS, DONE], "silent"),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
async def test_what_breaks_off_is_never_taken_for_whole(outbound: Outbound, vendor: ScriptedVendor, name: str) -> None:
    """Everything that came is given, then the interruption is told; nothing is invented."""
    steps, reason = INTERRUPTIONS[name]
    vendor.will(Script(steps))
    client = client_of(vendor.url, outbound, between_tokens=0.3)

    found = await heard(await client.stream(CALL, "m"))

    assert found.text == "Hello"
    assert isinstance(found.failure, ChatInterrupted)
    assert found.failure.vendor_code == reason
    assert [each for each in found.deltas if each.usage] == []


BEFORE: dict[str, tuple[list[Step], type[ProviderFailed]]] = {
    "cut before the status": ([Cut()], AnswerLost),
    "cut after the role": ([ROLE, Cut()], AnswerLost),
    "ended after the role": ([ROLE], AnswerLost),
    "ended with a DONE and nothing else": ([ROLE, DONE], ProviderDown),
    "silent before the status": ([Hang()], ProviderTooSlow),
    "silent after the role": ([ROLE, Hang()], ProviderTooSlow),
    "comments only": ([ROLE, *PINGS, DONE], ProviderTooSlow),
    "nonsense": ([b"data: nonsense\n\n"], ProviderDown),
    "an error event": ([b'data: {"error":{"message":"m"}}\n\n', DONE], ProviderDown),
    "busy in an event": ([ROLE, b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n'], ProviderThrottled),
    "no money in an event": ([b'data: {"error":{"code":"insufficient_quota"}}\n\n'], ProviderBlocked),
    "wrong in an event": ([b'data: {"error":{"message":"m","code":400}}\n\n'], CallRefused),
}


@pytest.mark.parametrize("name", BEFORE)
async def test_before_the_first_token_a_stream_fails_as_a_call_does(
    outbound: Outbound, vendor: ScriptedVendor, name: str
) -> None:
    steps, kind = BEFORE[name]
    vendor.will(Script(steps))

    with pytest.raises(ProviderFailed) as failure:
        await client_of(vendor.url, outbound, first_token=0.3).stream(CALL, "m")

    assert type(failure.value) is kind


async def test_an_event_without_end_is_given_up(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(Script([delta("Hi"), b"data: ", *[b"x" * 1_000_000] * 5, Hang()]))

    found = await heard(await client.stream(CALL, "m"))

    assert isinstance(found.failure, ChatInterrupted)
    assert (found.text, found.failure.vendor_code) == ("Hi", "event_too_large")


async def test_a_slow_reader_is_not_the_vendors_silence(outbound: Outbound, vendor: ScriptedVendor) -> None:
    vendor.will(Script([delta("a"), 0.05, delta("b"), delta(finish="stop"), DONE]))
    stream = await client_of(vendor.url, outbound, between_tokens=0.2).stream(CALL, "m")

    text = ""
    async for some in stream:
        text += "".join(each.text for each in some)
        await asyncio.sleep(0.25 if text else 0)

    assert text == "ab"


async def test_a_stream_takes_no_longer_than_it_may_in_all(outbound: Outbound, vendor: ScriptedVendor) -> None:
    vendor.will(Script([*SLOWLY, delta(finish="stop"), DONE]))

    found = await heard(await client_of(vendor.url, outbound, whole=0.4).stream(CALL, "m"))

    assert isinstance(found.failure, ChatInterrupted)
    assert found.text


async def test_the_vendor_sees_it_when_a_stream_is_closed(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(Script([delta("Hi"), Hang()]))
    stream = await client.stream(CALL, "m")

    async with asyncio.timeout(5):
        async for _ in stream:
            await stream.aclose()
        await vendor.left.wait()


async def test_who_waits_for_the_next_word_comes_to_the_end_when_another_closes_it(
    client: OpenAIChat, vendor: ScriptedVendor
) -> None:
    vendor.will(Script([delta("Hi"), Hang()]))
    stream = await client.stream(CALL, "m")
    reading = asyncio.create_task(heard(stream))
    await asyncio.sleep(0.05)

    await stream.aclose()

    found = await asyncio.wait_for(reading, 5)
    assert (found.failure, found.text) == (None, "Hi")


# Refusals


REFUSALS: dict[str, tuple[Script, type[ProviderFailed]]] = {
    "busy": (failing(429, code="rate_limit_exceeded"), ProviderThrottled),
    "no money left": (failing(429, code="insufficient_quota", type="insufficient_quota"), ProviderBlocked),
    "the operator's key": (failing(401, code="invalid_api_key", message=f"Incorrect API key: {KEY}"), ProviderBlocked),
    "not allowed": (failing(403), ProviderBlocked),
    "too long, by code": (failing(400, code="context_length_exceeded"), ContextTooLong),
    "too long, vLLM": (failing(400, code=400, message="This model's maximum context length is 8"), ContextTooLong),
    "wrong": (failing(400, code="invalid_value", message="temperature is too high"), CallRefused),
    "wrong, by its form": (failing(422), CallRefused),
    "no such model": (failing(404, code="model_not_found"), ModelUnknown),
    "a conflict": (failing(409), ProviderDown),
    "broken": (failing(500), ProviderDown),
    "a proxy's page": (Script([b"<html>"], 502, {"Content-Type": "text/html"}), ProviderDown),
    "overloaded": (failing(503, headers={"Retry-After": "7"}), ProviderDown),
}


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_says_what_to_do_about_it(
    client: OpenAIChat, vendor: ScriptedVendor, name: str, streamed: bool
) -> None:
    script, kind = REFUSALS[name]
    vendor.will(script)

    with pytest.raises(ProviderFailed) as failure:
        await (client.stream if streamed else client.complete)(CALL, "m")

    assert type(failure.value) is kind
    assert failure.value.status not in {401, 403}
    assert KEY not in failure.value.message


async def test_the_caller_reads_what_is_wrong_with_the_request(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(failing(400, code="invalid_value", message="temperature is too high for sk-0123456789abcdef"))

    with pytest.raises(CallRefused) as failure:
        await client.complete(CALL, "m")

    assert failure.value.message.startswith("temperature is too high")
    assert "0123456789abcdef" not in failure.value.message
    assert (failure.value.status, failure.value.vendor_code) == (400, "invalid_value")


SOON = "in 90 seconds, as a date"


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "3"}, 3, 3),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25, 0.25),
        ({"Retry-After": SOON}, 20, 91),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 0),
        ({"Retry-After": "999999999"}, 86_400, 86_400),
    ],
)
async def test_the_time_that_the_vendor_asks_for(
    client: OpenAIChat, vendor: ScriptedVendor, headers: dict[str, str], low: float, high: float
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)  # noqa: TID251 - a date that is sent
    vendor.will(failing(429, headers={name: soon if value == SOON else value for name, value in headers.items()}))

    with pytest.raises(ProviderThrottled) as failure:
        await client.complete(CALL, "m")

    assert failure.value.retry_after is not None
    assert low <= failure.value.retry_after <= high


@pytest.mark.parametrize("given", ["soon", "-1", "nan", ""])
async def test_nonsense_for_a_time_is_not_heeded(client: OpenAIChat, vendor: ScriptedVendor, given: str) -> None:
    vendor.will(failing(429, headers={"Retry-After": given, "x-should-retry": "false"}))

    with pytest.raises(ProviderThrottled) as failure:
        await client.complete(CALL, "m")

    assert failure.value.retry_after is None
    assert not failure.value.may_retry


async def test_nobody_there(outbound: Outbound) -> None:
    client = client_of("http://127.0.0.1:1/v1", outbound)

    for _ in range(8):
        with pytest.raises(ProviderDown):
            await client.stream(CALL, "m")

    with pytest.raises(ProviderResting) as failure:  # the breaker: left alone for a while
        await client.complete(CALL, "m")
    assert failure.value.retry_after is not None


async def test_a_whole_answer_that_never_comes(outbound: Outbound, vendor: ScriptedVendor) -> None:
    vendor.will(Script([Hang()]), Script([Cut()]))
    client = client_of(vendor.url, outbound, whole=0.3)

    with pytest.raises(ProviderTooSlow):
        await client.complete(CALL, "m")
    with pytest.raises(AnswerLost):
        await client.complete(CALL, "m")


async def test_a_stream_that_is_none(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(whole())

    with pytest.raises(ProviderDown):
        await client.stream(CALL, "m")


async def test_a_ping_takes_the_key_too(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    vendor.will(Script([b'{"data":[]}']), failing(401))

    await client.ping()
    with pytest.raises(ProviderBlocked):
        await client.ping()

    assert [asked.path for asked in vendor.asked] == ["/v1/models"] * 2


async def test_an_event_of_usage_alone_may_lack_choices(client: OpenAIChat, vendor: ScriptedVendor) -> None:
    odd = usage(1, 2).replace(b'"choices":[],', b"")
    vendor.will(Script([delta("Hi"), delta(finish="stop"), odd, event(choices=[], prompt_filter_results=[]), DONE]))

    found = await heard(await client.stream(CALL, "m"))

    assert found.failure is None
    assert [each.usage for each in found.deltas if each.usage_only] == [Usage(1, 2)]
