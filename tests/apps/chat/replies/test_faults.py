"""What goes wrong at the provider, at the client or in between ends in a clear state and the right charge."""

import asyncio

import pytest

from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageStatus
from support.deadlines import until
from support.scripted_vendor import ROLE, Cut, Hang, Script, delta, event, failing, told
from support.talk_room import Room
from support.talker import Talker

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BEFORE = {
    "refuses the key": (failing(401, code="invalid_api_key"), 502, "gateway.blocked"),
    "breaks": (failing(500), 502, "gateway.down"),
    "is busy": (failing(429, headers={"Retry-After": "7"}, code="rate_limit_exceeded"), 502, "gateway.throttled"),
    "refuses the request": (failing(400), 422, "gateway.call_refused"),
    "cuts before the first token": (Script([Cut()]), 502, "gateway."),
    "cuts after the role": (Script([ROLE, Cut()]), 502, "gateway."),
    "talks nonsense": (Script([b"data: {not json\n\n"]), 502, "gateway."),
}
AFTER = {
    "cuts": Script([ROLE, delta("Half"), delta(" of"), Cut()]),
    "ends without a reason": Script([ROLE, delta("Half"), delta(" of")]),
    "tells an error": Script(
        [ROLE, delta("Half"), delta(" of"), b'data: {"error":{"message":"oh","type":"server_error"}}\n\n']
    ),
    "talks nonsense": Script([ROLE, delta("Half"), delta(" of"), b"data: {not json\n\n"]),
}


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_provider_that_fails_before_the_first_token_costs_nothing(room: Room, fault: str) -> None:
    script, status, code = BEFORE[fault]
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(script)

    answer = await lin.send(conversation, "Hello")

    assert answer.status == status
    assert answer.code.startswith(code)
    assert await room.charged(lin) == (0, 0)
    question, reply = await _both(room, lin, conversation)
    assert (question.role, question.content) == ("user", "Hello")
    assert (reply.status, reply.content) == (MessageStatus.FAILED, "")
    assert str(reply.error).startswith(code)
    details = answer.body["error"]["details"]
    assert (details["message_id"], details["user_message_id"]) == (reply.id, question.id)


@pytest.mark.parametrize("fault", AFTER)
async def test_a_stream_that_breaks_off_keeps_what_came_charges_that_and_says_so(room: Room, fault: str) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(AFTER[fault])

    async with lin.streaming(conversation, "Hello") as hearing:
        events = await hearing.rest()

    assert (events[-1].kind, events[-1].data["error"]["code"]) == ("error", "gateway.interrupted")
    assert events[-1].data["message"]["content"] == hearing.text == "Half of"
    _, reply = await _both(room, lin, conversation)
    assert (reply.status, reply.content, reply.finish_reason) == (MessageStatus.INTERRUPTED, "Half of", None)
    requests, tokens = await room.charged(lin)
    assert (requests, tokens) == (1, reply.tokens_used)
    assert 2 < tokens < 30


async def test_a_client_that_leaves_is_charged_and_finds_the_reply(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    go_on, steps = asyncio.Event(), told("One", " two")
    room.vendor.will(Script([*steps[:2], go_on, *steps[2:]]))
    async with lin.streaming(conversation, "Count") as hearing:
        await hearing.until("delta")

    go_on.set()

    async def whole() -> bool:
        return (await _both(room, lin, conversation))[1].status is MessageStatus.COMPLETE

    await until(whole, 10)
    assert (await _both(room, lin, conversation))[1].content == "One two"
    assert await room.charged(lin) == (1, 11)


async def test_a_hundred_returns_hear_every_piece_once(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    words = [f" {number}" for number in range(100)]
    gates = [asyncio.Event() for _ in words]
    steps = [step for word, gate in zip(words, gates, strict=True) for step in (gate, delta(word))]
    room.vendor.will(Script([ROLE, *steps, delta(finish="stop"), event(choices=[], usage=None), b"data: [DONE]\n\n"]))
    gates[0].set()
    async with lin.streaming(conversation, "Count") as hearing:
        message = (await hearing.until("started")).data["message"]["id"]
        known, text = (await hearing.until("delta")).id, hearing.text
    for gate in gates[1:]:
        gate.set()
        async with lin.following(conversation, message, known) as hearing:
            known, text = (await hearing.until("delta")).id, text + hearing.text

    async with lin.following(conversation, message, known) as hearing:
        assert (await hearing.until("done")).data["message"]["content"] == text == "".join(words)
    assert len(room.vendor.asked) == 1


@pytest.mark.parametrize("begun", [True, False], ids=["after the first token", "before the first token"])
async def test_a_stop_ends_the_call_and_charges_what_was_generated(room: Room, begun: bool) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script([ROLE, delta("Endless"), Hang()] if begun else [Hang()]))
    async with lin.streaming(conversation, "Go on") as hearing:
        await hearing.until("delta" if begun else "started")
        message_id = hearing.events[0].data["message"]["id"]
        await room.vendor.hears(1)

        stopped = (await lin.call("POST", f"/conversations/{conversation}/messages/{message_id}/stop")).ok
        events = await hearing.rest()

    await asyncio.wait_for(room.vendor.left.wait(), 5)
    assert (stopped["status"], stopped["content"]) == ("stopped", "Endless" if begun else "")
    assert (events[-1].kind, events[-1].data["message"]["status"]) == ("done", "stopped")
    requests, tokens = await room.charged(lin)
    assert requests == 1
    assert (tokens > 0) is begun
    again = (await lin.call("POST", f"/conversations/{conversation}/messages/{message_id}/stop")).ok
    assert again == stopped


async def test_the_same_key_gives_the_same_reply_while_it_runs_and_after(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    go_on, steps = asyncio.Event(), told("Once")
    room.vendor.will(Script([*steps[:2], go_on, *steps[2:]]))
    first = asyncio.create_task(lin.send(conversation, "Hello", key="k-1"))
    await room.vendor.hears(1)
    second = asyncio.create_task(lin.send(conversation, "Hello", key="k-1"))
    go_on.set()

    bodies = [(await task).ok for task in (first, second)]

    assert bodies[0] == bodies[1] == (await lin.send(conversation, "Hello", key="k-1")).ok
    assert (await lin.send(conversation, "Other words", key="k-1")).code == "idempotency.reused"
    assert len(room.vendor.asked) == 1
    assert await room.charged(lin) == (1, 10)


async def test_a_failed_reply_is_told_again_to_the_same_key_without_asking_again(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(failing(500))

    answers = [await lin.send(conversation, "Hello", key="k-2") for _ in range(2)]

    assert [answer.code for answer in answers] == ["gateway.down"] * 2
    assert len(room.vendor.asked) == 1


async def test_a_deleted_conversation_takes_its_running_reply_with_it_and_is_charged(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script([ROLE, delta("Endless"), 0.3, delta(" words"), Hang()]))
    async with lin.streaming(conversation, "Go on") as hearing:
        await hearing.until("delta")
        await lin.call("DELETE", f"/conversations/{conversation}")
        events = await hearing.rest()

    assert (events[-1].kind, events[-1].data["error"]["code"]) == ("error", "chat.message_unknown")
    await asyncio.wait_for(room.vendor.left.wait(), 5)
    requests, tokens = await room.charged(lin)
    assert requests == 1
    assert tokens > 0


async def test_an_exhausted_quota_refuses_before_anything_is_saved_or_asked(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    await room.use_up(lin)

    answer = await lin.send(conversation, "Hello")

    assert (answer.status, answer.code) == (429, "quotas.exhausted")
    assert answer.headers["x-should-retry"] == "false"
    assert int(answer.headers["retry-after"]) > 0
    assert room.vendor.asked == []
    assert (await lin.call("GET", f"/conversations/{conversation}/messages")).ok["items"] == []


async def _both(room: Room, talker: Talker, conversation: str) -> tuple[Message, Message]:
    items = (await talker.call("GET", f"/conversations/{conversation}/messages")).ok["items"]
    question, reply = [await room.message(talker, item["id"]) for item in items]
    return question, reply
