"""Responses through the official SDK: whole, streamed, in the background, resumed elsewhere, cancelled, deleted, continued."""

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response

from support.deadlines import until
from support.openai_client import MODEL, key_of, records_of, sdk_of
from support.scripted_vendor import DONE, ROLE, Cut, Hang, Script, delta, failing, told, usage
from support.talk_room import Room
from support.talker import Talker

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOOLS: Any = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]


async def _ended(sdk: AsyncOpenAI, response_id: str) -> Response:
    """The response once it runs no more."""

    async def look() -> Response | None:
        found = await sdk.responses.retrieve(response_id)
        return None if found.status in {"queued", "in_progress"} else found

    return await until(look)


async def test_a_response_is_made_charged_and_kept(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script(told("Hel", "lo")))
    made = await sdk.responses.create(model=MODEL, input="Hi", instructions="Be brief.", max_output_tokens=50)
    found = await sdk.responses.retrieve(made.id)
    (record,) = await records_of(room.stand, talker)
    asked = room.vendor.asked[0].body

    assert (made.output_text, made.status) == ("Hello", "completed")
    assert found.model_dump() == made.model_dump()
    assert made.usage is not None and (made.usage.input_tokens, made.usage.output_tokens) == (9, 2)
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert asked["max_tokens"] == 50
    assert (record["source"], record["status"]) == ("response", "complete")
    assert await room.charged(talker) == (1, 11)


async def test_a_stream_says_all_in_order(room: Room, sdk: AsyncOpenAI) -> None:
    room.vendor.will(Script(told("Hel", "lo")))
    events = [event async for event in await sdk.responses.create(model=MODEL, input="Hi", stream=True)]

    assert [event.type.removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    assert [event.sequence_number for event in events] == list(range(10))
    assert events[-1].response.output_text == "Hello"  # type: ignore[union-attr]


async def test_functions_are_called_and_answered(room: Room, sdk: AsyncOpenAI) -> None:
    """The call comes as an item; its result goes on from the response before."""
    function = {"name": "weather", "arguments": '{"city":'}
    first = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    more = delta(tool_calls=[{"index": 0, "function": {"arguments": '"Beijing"}'}}])
    steps = [ROLE, delta(tool_calls=first), more, delta(finish="tool_calls"), usage(9, 9), DONE]
    room.vendor.will(Script(steps), Script(told("Sunny")))
    called = await sdk.responses.create(model=MODEL, input="Weather?", tools=TOOLS)
    (call,) = called.output
    result: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "sun"}]
    answered = await sdk.responses.create(model=MODEL, previous_response_id=called.id, input=result, tools=TOOLS)

    assert call.type == "function_call"
    assert (call.name, call.arguments, call.call_id) == ("weather", '{"city":"Beijing"}', "call_1")
    assert answered.output_text == "Sunny"
    assert [message["role"] for message in room.vendor.asked[1].body["messages"]] == ["user", "assistant", "tool"]
    assert room.vendor.asked[0].body["tools"][0]["function"]["name"] == "weather"


async def test_the_background_is_heard_from_where_one_was(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    """The caller leaves in the middle; generating goes on; another one hears the rest behind what was heard."""
    room.vendor.will(Script([ROLE, delta("one"), 0.3, *map(delta, (" two", " three")), delta(finish="stop"), DONE]))
    stream = await sdk.responses.create(model=MODEL, input="Count", background=True, stream=True)
    heard = []
    async for event in stream:
        heard.append(event)
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    response_id = heard[0].response.id  # type: ignore[union-attr]
    after = heard[-1].sequence_number
    rest = [each async for each in await sdk.responses.retrieve(response_id, stream=True, starting_after=after)]
    again = [each async for each in await sdk.responses.retrieve(response_id, stream=True)]

    assert [each.sequence_number for each in rest] == list(range(after + 1, after + 1 + len(rest)))
    assert rest[-1].type == "response.completed" and rest[-1].response.output_text == "one two three"
    assert [each.type for each in again] == [each.type for each in (*heard, *rest)]
    assert (await sdk.responses.retrieve(response_id)).output_text == "one two three"
    assert (await room.charged(talker))[0] == 1


async def test_the_background_is_looked_at(room: Room, sdk: AsyncOpenAI) -> None:
    room.vendor.will(Script(told("Hel", "lo")))
    made = await sdk.responses.create(model=MODEL, input="Hi", background=True)
    found = await _ended(sdk, made.id)

    assert made.status in {"queued", "in_progress"}
    assert (found.status, found.output_text) == ("completed", "Hello")


async def test_a_cancelled_response_keeps_what_came(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script([ROLE, delta("one"), Hang()]))
    stream = await sdk.responses.create(model=MODEL, input="Count", background=True, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    response_id = (await _only(room, talker))["id"]
    cancelled = await sdk.responses.cancel(response_id)
    await asyncio.wait_for(room.vendor.left.wait(), 5)
    (record,) = await records_of(room.stand, talker)

    assert (cancelled.status, cancelled.output_text) == ("cancelled", "one")
    assert (await sdk.responses.cancel(response_id)).status == "cancelled"
    assert (record["status"], record["completion_tokens"]) == ("stopped", 1)


async def _only(room: Room, talker: Talker) -> dict[str, Any]:
    from sqlalchemy import select

    from hutong.apps.chat.compatible.tables import chat_responses

    def read(conn: Any) -> list[dict[str, Any]]:
        mine = select(chat_responses).where(chat_responses.c.user_id == int(talker.user["id"]))
        return [dict(row._mapping) for row in conn.execute(mine)]

    (found,) = await room.stand.host.kernel.db.read(read)
    return found


async def test_who_leaves_a_stream_finds_the_response(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script([ROLE, delta("one"), 0.2, delta(" two"), delta(finish="stop"), DONE]))
    stream = await sdk.responses.create(model=MODEL, input="Count", stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    found = await _ended(sdk, (await _only(room, talker))["id"])

    assert (found.status, found.output_text) == ("completed", "one two")


async def test_what_is_not_stored_ends_with_its_listener(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script([ROLE, delta("one"), Hang()]))
    stream = await sdk.responses.create(model=MODEL, input="Count", stream=True, store=False)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    await asyncio.wait_for(room.vendor.left.wait(), 5)
    (record,) = await until(lambda: records_of(room.stand, talker))

    assert (record["status"], record["completion_tokens"]) == ("stopped", 1)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(event.item_id)  # type: ignore[union-attr]


async def test_a_cut_provider_makes_a_failed_response(room: Room, sdk: AsyncOpenAI, talker: Talker) -> None:
    room.vendor.will(Script([ROLE, delta("one"), Cut()]))
    events = [event async for event in await sdk.responses.create(model=MODEL, input="Hi", stream=True)]
    failed = events[-1].response  # type: ignore[union-attr]
    (record,) = await records_of(room.stand, talker)

    assert events[-1].type == "response.failed"
    assert (failed.status, failed.output_text, failed.output[0].status) == ("failed", "one", "incomplete")
    assert failed.error is not None and failed.error.code == "stream_interrupted"
    assert (record["status"], record["completion_tokens"]) == ("interrupted", 1)


async def test_what_fails_at_once_is_an_error_and_leaves_nothing(room: Room, secret: str, talker: Talker) -> None:
    async with sdk_of(room.stand.base, secret, max_retries=0) as sdk:
        for stream in (False, True):
            room.vendor.will(failing(500))
            with pytest.raises(openai.InternalServerError):
                await sdk.responses.create(model=MODEL, input="Hi", stream=stream)
        room.vendor.will(failing(500))
        made = await sdk.responses.create(model=MODEL, input="Hi", background=True)
        found = await _ended(sdk, made.id)

    assert found.status == "failed" and found.error is not None
    assert (await _only(room, talker))["id"] == made.id
    assert await room.charged(talker) == (0, 0)
    assert await records_of(room.stand, talker) == []


async def test_a_deleted_response_is_gone(room: Room, sdk: AsyncOpenAI) -> None:
    room.vendor.will(Script(told("Hello")))
    made = await sdk.responses.create(model=MODEL, input="Hi")
    items = await sdk.responses.input_items.list(made.id)
    await sdk.responses.delete(made.id)

    assert [item.type for item in items.data] == ["message"]
    for look in (sdk.responses.retrieve, sdk.responses.delete, sdk.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await look(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.responses.create(model=MODEL, input="Hi", previous_response_id=made.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_other_peoples_responses_do_not_exist(room: Room, sdk: AsyncOpenAI) -> None:
    room.vendor.will(Script(told("Hello")))
    made = await sdk.responses.create(model=MODEL, input="Hi")
    async with sdk_of(room.stand.base, await key_of(room.stand, await room.talker())) as stranger:
        for look in (stranger.responses.retrieve, stranger.responses.delete, stranger.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                await look(made.id)
        with pytest.raises(openai.BadRequestError):
            await stranger.responses.create(model=MODEL, input="Hi", previous_response_id=made.id)

    assert (await sdk.responses.retrieve(made.id)).output_text == "Hello"


async def test_only_the_background_is_cancelled(room: Room, sdk: AsyncOpenAI) -> None:
    room.vendor.will(Script(told("Hello")))
    made = await sdk.responses.create(model=MODEL, input="Hi")
    with pytest.raises(openai.BadRequestError):
        await sdk.responses.cancel(made.id)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"input": "x", "tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": "x", "conversation": "conv_1"}, "conversation"),
        ({"input": "x", "text": {"format": {"type": "xml"}}}, "text.format"),
        ({"input": "x", "background": True, "store": False}, "background"),
        ({"input": "x", "temperature": "hot"}, "temperature"),
    ],
)
async def test_what_is_wrong_is_named(room: Room, sdk: AsyncOpenAI, asked: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.post("/responses", body={"model": MODEL, **asked}, cast_to=object)

    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


async def test_a_process_that_leaves_saves_what_it_wrote(
    stand_up: Callable[..., Any], room: Room, sdk: AsyncOpenAI, talker: Talker
) -> None:
    """What runs when a process ends is marked failed with what came, and charged for that."""
    room.vendor.will(Script([ROLE, delta("one"), Hang()]))
    stream = await sdk.responses.create(model=MODEL, input="Count", background=True, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    for close in room.stand.host.kernel.closing:
        await close()
    found = await sdk.responses.retrieve((await _only(room, talker))["id"])
    (record,) = await records_of(room.stand, talker)

    assert (found.status, found.output_text) == ("failed", "one")
    assert (record["status"], record["completion_tokens"]) == ("interrupted", 1)
