"""What answers took: the provider's count, or ours where it gave none; money; and nothing invented."""

import asyncio

import orjson
import pytest

from hutong.kernel.gateway.chat import ChatCall, Usage
from hutong.kernel.gateway.errors import ChatInterrupted
from hutong.kernel.gateway.tokens import count, count_request
from hutong.kernel.observability.metrics import openai_tokens
from support.chat_bench import heard
from support.chat_stand import ChatStand
from support.scripted_vendor import DONE, Cut, Hang, Script, delta, told, usage, whole

CALL = ChatCall("alone", {"messages": [{"role": "user", "content": "Say hello"}]}, user_id=1, request_id="r")
PROMPT = 9
"""o200k: Say, hello; user; three for the message, three for the reply."""


async def test_the_providers_count_is_authoritative_and_priced(stand: ChatStand) -> None:
    before = openai_tokens.labels("one", "big", "completion")._value.get()
    stand.one.will(
        Script([delta("Hello"), delta(finish="stop"), usage(10, 7, prompt_tokens_details={"cached_tokens": 4}), DONE])
    )

    stream = await stand.chats.stream(CALL, vip=False)
    await heard(stream)
    receipt = await stream.receipt()

    assert receipt.usage == Usage(10, 7, cached=4)
    assert receipt.cost == 6 * 1 + 4 // 2 + 7 * 2  # a unit a token read, half for one read before, two for one written
    assert 0 <= receipt.first_token <= receipt.seconds
    assert await stream.receipt() is receipt
    assert openai_tokens.labels("one", "big", "completion")._value.get() == before + 7


async def test_a_usage_of_nought_is_a_usage(stand: ChatStand) -> None:
    stand.one.will(whole("Hello", usage={"prompt_tokens": 0, "completion_tokens": 0}))

    answer = await stand.chats.complete(CALL, vip=False)

    assert (answer.usage, answer.receipt.cost) == (Usage(0, 0), 0)


async def test_what_was_not_counted_is_counted_here_and_said_to_be(stand: ChatStand) -> None:
    stand.one.will(whole("Hello there"), Script([delta("Hello"), delta(" there"), delta(finish="stop"), DONE]))

    answer = await stand.chats.complete(CALL, vip=False)
    stream = await stand.chats.stream(CALL, vip=False)
    found = await heard(stream)

    assert answer.usage == Usage(PROMPT, 2, counted_here=True)
    last = found.deltas[-1]
    assert (last.usage, last.usage_only) == (Usage(PROMPT, 2, counted_here=True), True)
    chunk = orjson.loads(last.raw)
    assert (chunk["id"], chunk["model"], chunk["choices"]) == ("chatcmpl-1", "alone", [])
    assert chunk["usage"] == {"prompt_tokens": PROMPT, "completion_tokens": 2, "total_tokens": PROMPT + 2}
    assert (await stream.receipt()).usage == last.usage


async def test_an_answer_that_broke_off_is_billed_for_what_came(stand: ChatStand) -> None:
    stand.one.will(Script([delta("Hello"), delta(" there"), Cut()]))

    stream = await stand.chats.stream(CALL, vip=False)
    found = await heard(stream)
    receipt = await stream.receipt()

    assert isinstance(found.failure, ChatInterrupted)
    assert [each for each in found.deltas if each.usage or each.finish_reason] == []
    assert receipt.usage == Usage(PROMPT, 2, counted_here=True)
    assert receipt.cost == PROMPT + 4


async def test_an_answer_that_was_stopped_is_billed_for_what_was_read(stand: ChatStand) -> None:
    stand.one.will(Script([delta("Hello"), delta(" there"), Hang()]))
    stream = await stand.chats.stream(CALL, vip=False)

    async for each in stream:
        if each.text == " there":
            break
    receipt = await stream.receipt()

    assert receipt.usage == Usage(PROMPT, 2, counted_here=True)
    async with asyncio.timeout(5):
        await stand.one.left.wait()


async def test_a_long_answer_is_counted_in_pieces(stand: ChatStand) -> None:
    words = [f" word{number} and more of it" * 40 for number in range(400)]
    stand.one.will(Script([b"".join(map(delta, words)), delta(finish="stop"), DONE]))

    stream = await stand.chats.stream(CALL, vip=False)
    found = await heard(stream)

    exact = await count(found.text)
    assert len(found.text) > 5 * 65_536
    assert abs((await stream.receipt()).usage.completion - exact) <= 10


async def test_a_whole_stream_keeps_its_own_usage_only(stand: ChatStand) -> None:
    stand.one.will(Script(told("Hi")))

    found = await heard(await stand.chats.stream(CALL, vip=False))

    assert [each.usage for each in found.deltas if each.usage] == [Usage(9, 1)]


# Counting


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("胡同", 2), ("<|endoftext|>", 7), ("a" * 100_000, 12_500), ("\x00\ud83d", 2)],
    ids=["empty", "words", "chinese", "special", "monotonous", "half a pair"],
)
async def test_counting_takes_every_text_in_no_time(text: str, tokens: int) -> None:
    """Special tokens count as the text that they are; a monotonous text takes other tokenizers minutes."""
    async with asyncio.timeout(5):
        found = await count(text)

    assert abs(found - tokens) <= 1


async def test_a_request_is_counted_with_what_frames_it() -> None:
    plain = await count_request({"messages": [{"role": "user", "content": "Say hello"}]})
    named = await count_request({"messages": [{"role": "user", "name": "bob", "content": "Say hello"}]})
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    seen = await count_request(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello"}, picture]}]}
    )
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    tooled = await count_request({"messages": [{"role": "user", "content": "Say hello"}], "tools": tools})

    assert plain == PROMPT
    assert named == PROMPT + 2
    assert seen == PROMPT + 765
    assert tooled > PROMPT + 5
