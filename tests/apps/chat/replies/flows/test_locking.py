"""One reply at a time in a conversation, a few for a user, one for a key: decided by the database, whichever it is."""

import asyncio
from collections.abc import Callable
from typing import Any

from support.scripted_vendor import Script, ScriptedVendor, told
from support.talk_room import Room, settings_for


async def test_one_reply_at_a_time_in_a_conversation_and_a_few_for_a_user(
    stand_up: Callable[..., Any], vendor: ScriptedVendor
) -> None:
    room = Room(await stand_up(**settings_for(vendor, at_once=2)), vendor)
    lin = await room.talker()
    conversations = [await room.conversation(lin) for _ in range(3)]
    go_on, steps = asyncio.Event(), told("One")
    vendor.will(*(Script([*steps[:2], go_on, *steps[2:]]) for _ in range(2)))
    running = [asyncio.create_task(lin.send(conversation, "Hello")) for conversation in conversations[:2]]
    await vendor.hears(2)

    assert (await lin.send(conversations[0], "More")).code == "chat.reply_running"
    assert (await lin.send(conversations[2], "Hello")).code == "chat.too_many_replies"
    go_on.set()
    assert [(await task).status for task in running] == [200, 200]
    assert await room.charged(lin) == (2, 20)


async def test_ten_at_once_in_one_conversation_are_one(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    go_on, steps = asyncio.Event(), told("One")
    room.vendor.will(Script([*steps[:2], go_on, *steps[2:]]))
    sent = [asyncio.create_task(lin.send(conversation, "Hello")) for _ in range(10)]
    await room.vendor.hears(1)
    done, waiting = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    while len(waiting) > 1:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    go_on.set()

    assert {task.result().code for task in done} == {"chat.reply_running"}
    assert [(await task).status for task in waiting] == [200]
    assert await room.charged(lin) == (1, 10)


async def test_ten_with_the_same_key_are_one(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("One")))

    answers = await asyncio.gather(*(lin.send(conversation, "Hello", key="k") for _ in range(10)))

    assert len({answer.ok["message"]["id"] for answer in answers}) == 1
    assert len(room.vendor.asked) == 1
    assert await room.charged(lin) == (1, 10)
