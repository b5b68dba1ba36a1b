"""The vendor's own SDK, unchanged, against the sandbox: answers, streams, tools, errors, headers."""

from typing import Any

import openai
import orjson
import pytest
from pydantic import BaseModel

from hutong.kernel.gateway import tokens
from support.openai_sandbox import MODEL, OpenAIBench, said

QUESTION = "Tell me about hutongs of Beijing"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}
NEWS: Any = {"type": "function", "function": {"name": "search_news", "description": "Headlines", "parameters": {}}}


# Answers


async def test_an_answer_is_whole_and_counted(bench: OpenAIBench) -> None:
    raw = await bench.sdk.chat.completions.with_raw_response.create(model=MODEL, messages=said(QUESTION))
    answer = raw.parse()

    text = answer.choices[0].message.content or ""
    assert "hutongs of Beijing" in text and "sandbox" in text
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", MODEL, "stop")
    assert answer.id.startswith("chatcmpl-") and answer.created > 1_700_000_000
    assert answer.usage is not None
    asked = {"messages": said(QUESTION)}
    assert answer.usage.prompt_tokens == await tokens.count_request(asked)
    assert answer.usage.completion_tokens == await tokens.count(text)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert raw.headers["x-request-id"].startswith("req_") and int(raw.headers["openai-processing-ms"]) >= 0
    for of, limit in (("requests", 30_000), ("tokens", 150_000_000)):
        assert int(raw.headers[f"x-ratelimit-limit-{of}"]) == limit
        assert 0 < int(raw.headers[f"x-ratelimit-remaining-{of}"]) < limit
        assert raw.headers[f"x-ratelimit-reset-{of}"].endswith("s")


async def test_a_stream_says_the_same_in_deltas(bench: OpenAIBench) -> None:
    whole = await bench.sdk.chat.completions.create(model=MODEL, messages=said(QUESTION))
    stream = await bench.sdk.chat.completions.create(
        model=MODEL, messages=said(QUESTION), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    *told, last = chunks
    deltas = [chunk.choices[0].delta for chunk in told]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert len(deltas) > 15
    assert [chunk.choices[0].finish_reason for chunk in told if chunk.choices[0].finish_reason] == ["stop"]
    assert (last.choices, last.usage) == ([], whole.usage)
    assert [chunk.usage for chunk in told] == [None] * len(told)
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1


async def test_a_stream_is_spelled_as_the_vendor_spells_it(bench: OpenAIBench) -> None:
    status, content, headers = await bench.raw(stream=True)

    events = content.decode().split("\n\n")
    assert (status, events[-2:]) == (200, ["data: [DONE]", ""])
    assert all(event.startswith('data: {"id":"chatcmpl-') for event in events[:-2])
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    chunks = [orjson.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert all("usage" not in chunk and chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]


async def test_the_same_question_has_the_same_answer_under_another_id(bench: OpenAIBench) -> None:
    one, two = [await bench.sdk.chat.completions.create(model=MODEL, messages=said(QUESTION)) for _ in range(2)]

    assert one.choices == two.choices
    assert one.id != two.id


@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices(bench: OpenAIBench, *, stream: bool) -> None:
    body: Any = {"model": MODEL, "messages": said(QUESTION), "n": 3}
    texts = ["", "", ""]
    if stream:
        async for chunk in await bench.sdk.chat.completions.create(**body, stream=True):
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
    else:
        answer = await bench.sdk.chat.completions.create(**body)
        texts = [choice.message.content or "" for choice in answer.choices]

    assert len(set(texts)) == 3 and all("hutongs" in text for text in texts)


async def test_what_ends_an_answer(bench: OpenAIBench) -> None:
    """A limit of tokens, to the token, and a word that stops."""
    create = bench.sdk.chat.completions.create
    short = await create(model=MODEL, messages=said(QUESTION), max_completion_tokens=7)
    shorter = await create(model=MODEL, messages=said("给我讲讲 👨‍👩‍👧 的故事"), max_tokens=9)
    stopped = await create(model=MODEL, messages=said(QUESTION), stop=["First things", "Beijing"])

    assert short.usage is not None and short.usage.completion_tokens == 7
    assert short.choices[0].finish_reason == shorter.choices[0].finish_reason == "length"
    assert shorter.usage is not None and 1 <= shorter.usage.completion_tokens <= 9
    assert "�" not in (shorter.choices[0].message.content or "")
    assert stopped.choices[0].message.content == "You asked about **hutongs of "
    assert stopped.choices[0].finish_reason == "stop"


class Trip(BaseModel):
    city: str
    days: int
    stops: list[str]
    note: str | None


async def test_json_fits_its_schema(bench: OpenAIBench) -> None:
    parsed = await bench.sdk.chat.completions.parse(
        model=MODEL, messages=said("Plan 3 days in Kyoto"), response_format=Trip
    )
    plain = await bench.sdk.chat.completions.create(
        model=MODEL, messages=said("Answer in JSON: what is 2+3?"), response_format={"type": "json_object"}
    )

    trip = parsed.choices[0].message.parsed
    assert trip is not None and (trip.city, trip.days) == ("Kyoto", 3)
    assert "**2+3 = 5**" in orjson.loads(plain.choices[0].message.content or "")["answer"]


async def test_log_probabilities_are_given_for_each_token(bench: OpenAIBench) -> None:
    answer = await bench.sdk.chat.completions.create(
        model=MODEL, messages=said("胡同"), logprobs=True, top_logprobs=2, max_tokens=30
    )

    found = answer.choices[0].logprobs
    assert found is not None and found.content is not None and answer.usage is not None
    assert len(found.content) == answer.usage.completion_tokens
    text = b"".join(bytes(token.bytes or []) for token in found.content).decode()
    assert text == answer.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in found.content)


async def test_pictures_are_taken(bench: OpenAIBench) -> None:
    content = [
        {"type": "text", "text": "What is on these?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    answer = await bench.sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])  # type: ignore[misc,list-item]

    text = answer.choices[0].message.content or ""
    assert "2 picture(s): cat.png, image/png" in text
    assert answer.usage is not None and answer.usage.prompt_tokens > 2 * tokens.PER_PICTURE


# Tools


async def test_a_tool_is_called_where_the_message_asks_for_it(bench: OpenAIBench) -> None:
    create = bench.sdk.chat.completions.create
    asked = said("What is the weather in Beijing for the next 3 days, in fahrenheit?")
    answer = await create(model=MODEL, messages=asked, tools=[NEWS, WEATHER])
    chat = await create(model=MODEL, messages=said("Hello"), tools=[NEWS, WEATHER])
    never = await create(model=MODEL, messages=asked, tools=[WEATHER], tool_choice="none")
    forced = await create(
        model=MODEL,
        messages=said("Hello"),
        tools=[NEWS, WEATHER],
        tool_choice={"type": "function", "function": {"name": "search_news"}},
    )

    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function" and call.function.name == "get_weather" and call.id.startswith("call_")
    assert orjson.loads(call.function.arguments) == {"city": "Beijing", "days": 3, "unit": "fahrenheit"}
    assert not chat.choices[0].message.tool_calls and not never.choices[0].message.tool_calls
    assert [each.function.name for each in forced.choices[0].message.tool_calls or [] if each.type == "function"] == [
        "search_news"
    ]


async def test_calls_of_tools_are_streamed_in_fragments(bench: OpenAIBench) -> None:
    asked = said("Search the news, and the weather in Beijing")
    stream = await bench.sdk.chat.completions.create(model=MODEL, messages=asked, tools=[NEWS, WEATHER], stream=True)
    fragments, ids, finish = {0: "", 1: ""}, dict[int, tuple[Any, Any]](), None
    async for chunk in stream:
        finish = chunk.choices[0].finish_reason or finish
        for part in chunk.choices[0].delta.tool_calls or []:
            assert part.function is not None
            fragments[part.index] += part.function.arguments or ""
            if part.id:
                assert part.index not in ids
                ids[part.index] = part.id, part.function.name

    assert finish == "tool_calls"
    assert [name for _, name in ids.values()] == ["search_news", "get_weather"]
    assert orjson.loads(fragments[0]) == {}
    assert orjson.loads(fragments[1])["city"] == "Beijing"


async def test_the_sdks_own_gathering_of_a_stream(bench: OpenAIBench) -> None:
    asked = said("The weather in Beijing")
    async with bench.sdk.chat.completions.stream(model=MODEL, messages=asked, tools=[WEATHER]) as stream:
        final = await stream.get_final_completion()

    (call,) = final.choices[0].message.tool_calls or []
    assert orjson.loads(call.function.arguments)["city"] == "Beijing"


async def test_a_tools_answer_is_repeated_and_must_belong_to_a_call(bench: OpenAIBench) -> None:
    create, asked = bench.sdk.chat.completions.create, said("The weather in Beijing")
    first = await create(model=MODEL, messages=asked, tools=[WEATHER])
    (call,) = first.choices[0].message.tool_calls or []
    calling: Any = first.choices[0].message.model_dump(exclude_none=True)
    answered: Any = {"role": "tool", "tool_call_id": call.id, "content": '{"sky":"clear"}'}

    answer = await create(model=MODEL, messages=[*asked, calling, answered], tools=[WEATHER])
    assert '{"sky":"clear"}' in (answer.choices[0].message.content or "")
    for broken in ([*asked, answered], [*asked, calling], [*asked, calling, *asked, answered]):
        with pytest.raises(openai.BadRequestError, match="tool"):
            await create(model=MODEL, messages=broken, tools=[WEATHER])


# Models and errors


async def test_the_list_of_models(bench: OpenAIBench) -> None:
    names = {model.id async for model in bench.sdk.models.list()}

    assert {MODEL, "gpt-4o", "qwen-plus", "sandbox-tiny"} <= names
    assert (await bench.sdk.models.retrieve("qwen-plus")).owned_by == "qwen"
    with pytest.raises(openai.NotFoundError):
        await bench.sdk.models.retrieve("gpt-1")


WRONG: dict[str, tuple[dict[str, Any], type[openai.APIStatusError], str | None, str | None]] = {
    "no such model": ({"model": "gpt-1"}, openai.NotFoundError, "model_not_found", "model"),
    "too long": (
        {"model": "sandbox-tiny", "messages": said("word " * 600)},
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "too long with what may be written": (
        {"model": "sandbox-tiny", "messages": said("word " * 300), "max_tokens": 256},
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "more than the model writes": ({"max_tokens": 20_000}, openai.BadRequestError, "invalid_value", "max_tokens"),
    "no messages": ({"messages": []}, openai.BadRequestError, "invalid_value", "messages"),
    "a role that there is not": (
        {"messages": said("Hi", role="robot")},
        openai.BadRequestError,
        "invalid_value",
        "messages.0.role",
    ),
    "a wrong type": ({"temperature": "hot"}, openai.BadRequestError, "invalid_type", "temperature"),
    "a field that there is not": (
        {"extra_body": {"colour": "red"}},
        openai.BadRequestError,
        "unknown_parameter",
        "colour",
    ),
    "JSON that nobody spoke of": (
        {"response_format": {"type": "json_object"}},
        openai.BadRequestError,
        None,
        "messages",
    ),
    "options of a stream without one": (
        {"stream_options": {"include_usage": True}},
        openai.BadRequestError,
        None,
        "stream_options",
    ),
    "a choice of no tools": ({"tool_choice": "auto"}, openai.BadRequestError, None, "tool_choice"),
    "a picture for a blind model": (
        {
            "model": "qwen-turbo",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://e.com/x"}}]}],
        },
        openai.BadRequestError,
        None,
        "messages",
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_request_gets_the_vendors_error(bench: OpenAIBench, name: str) -> None:
    changed, kind, code, param = WRONG[name]
    body: Any = {"model": MODEL, "messages": said("Hi"), **changed}

    with pytest.raises(kind) as failure:
        await bench.sdk.chat.completions.create(**body)

    assert (failure.value.code, failure.value.param) == (code, param)
    assert failure.value.type == "invalid_request_error"
    assert failure.value.request_id is not None and failure.value.request_id.startswith("req_")


async def test_a_key_is_needed_and_never_repeated(bench: OpenAIBench) -> None:
    stranger = bench.sdk.with_options(api_key="sk-somebody-elses-own-key")
    with pytest.raises(openai.AuthenticationError) as failure:
        await stranger.chat.completions.create(model=MODEL, messages=said("Hi"))
    with pytest.raises(openai.AuthenticationError):
        await stranger.models.list()

    assert failure.value.code == "invalid_api_key"
    assert "somebody-elses" not in str(failure.value)
    async with bench.client.post(f"{bench.base_url}/chat/completions", json={}) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (401, "invalid_request_error")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"model": "\xff"}'])
async def test_a_body_that_is_no_object(bench: OpenAIBench, content: bytes) -> None:
    headers = {"Authorization": "Bearer sk-sandbox", "Content-Type": "application/json"}
    async with bench.client.post(f"{bench.base_url}/chat/completions", data=content, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (400, "invalid_request_error")


async def test_other_paths_are_unknown(bench: OpenAIBench) -> None:
    with pytest.raises(openai.NotFoundError) as failure:
        await bench.sdk.embeddings.create(model=MODEL, input="x")

    assert failure.value.code == "unknown_url"
