"""Messages are sent and answered over HTTP, whole or as events."""

import asyncio

import pytest

from hutong.apps.chat.compatible.tables import Outcome, Source, chat_usage
from support.scripted_vendor import Script, told
from support.talk_room import Room

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_message_is_saved_answered_and_charged_once(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("Good", " day")))

    body = (await lin.send(conversation, "Hello there")).ok

    assert body["user_message"]["content"] == "Hello there"
    assert body["user_message"]["parent_id"] is None
    assert body["message"]["content"] == "Good day"
    assert body["message"]["parent_id"] == body["user_message"]["id"]
    assert (body["message"]["status"], body["message"]["finish_reason"]) == ("complete", "stop")
    assert (body["message"]["prompt_tokens"], body["message"]["completion_tokens"]) == (9, 2)
    assert await room.charged(lin) == (1, 11)
    (record,) = await room.stand.host.kernel.db.read(lambda conn: conn.execute(chat_usage.select()).all())
    assert (record.source, record.status, record.model) == (Source.REPLY, Outcome.COMPLETE, "gpt-4o-mini")
    assert (record.prompt_tokens, record.completion_tokens, record.cost_micros) == (9, 2, body["message"]["cost"])
    asked = room.vendor.asked[0].body
    assert asked["messages"] == [{"role": "user", "content": "Hello there"}]


async def test_a_stream_tells_the_start_each_piece_and_the_whole_at_the_end(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    go_on = asyncio.Event()
    steps = told("One", " two")
    room.vendor.will(Script([*steps[:2], go_on, *steps[2:]]))

    async with lin.streaming(conversation, "Count") as hearing:
        first = await hearing.until("delta")
        go_on.set()
        events = await hearing.rest()

    assert first.data == {"text": "One"}
    assert [event.kind for event in events] == ["started", "delta", "delta", "done"]
    assert [event.id for event in events] == [1, 2, 3, 4]
    assert events[-1].data["message"]["content"] == hearing.text == "One two"
    assert await room.charged(lin) == (1, 11)
