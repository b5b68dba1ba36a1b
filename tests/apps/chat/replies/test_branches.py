"""Conversations branch where a reply is written again or a message edited; one reply at a time, a few for a user."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from support.scripted_vendor import Script, ScriptedVendor, told
from support.talk_room import Room, settings_for

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_conversation_goes_on_and_the_model_reads_what_was_said(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin, system_prompt="Be kind.")
    room.vendor.will(Script(told("One")), Script(told("Two")))
    first = (await lin.send(conversation, "First line\nof a question")).ok

    second = (await lin.send(conversation, "And then?")).ok

    assert second["user_message"]["parent_id"] == first["message"]["id"]
    assert room.vendor.asked[1].body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "First line\nof a question"},
        {"role": "assistant", "content": "One"},
        {"role": "user", "content": "And then?"},
    ]
    assert (await lin.call("GET", f"/conversations/{conversation}")).ok["title"] == "First line"


async def test_a_reply_is_written_again_beside_the_first(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("One")), Script(told("Other")))
    first = (await lin.send(conversation, "Hello")).ok

    path = f"/conversations/{conversation}/messages/{first['message']['id']}/regenerate"
    again = (await lin.call("POST", path, json={"temperature": 0.5})).ok

    assert again["user_message"] == first["user_message"]
    assert again["message"]["id"] != first["message"]["id"]
    assert again["message"]["content"] == "Other"
    assert room.vendor.asked[1].body["messages"] == room.vendor.asked[0].body["messages"]
    assert room.vendor.asked[1].body["temperature"] == 0.5
    assert await room.charged(lin) == (2, 20)


async def test_an_edited_message_begins_a_branch_and_the_old_one_stays(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(*(Script(told(word)) for word in ("One", "Two", "Three")))
    await lin.send(conversation, "Hello")
    second = (await lin.send(conversation, "Wrong")).ok

    edited = (await lin.call("PATCH", f"/messages/{second['user_message']['id']}", json={"content": "Right"})).ok

    assert edited["user_message"]["parent_id"] == second["user_message"]["parent_id"]
    assert [turn["content"] for turn in room.vendor.asked[2].body["messages"]] == ["Hello", "One", "Right"]
    items = (await lin.call("GET", f"/conversations/{conversation}/messages")).ok["items"]
    assert [item["content"] for item in items] == ["Hello", "One", "Wrong", "Two", "Right", "Three"]


async def test_only_the_users_words_are_edited_and_nobody_elses(room: Room) -> None:
    lin, stranger = await room.talker(), await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("One")))
    first = (await lin.send(conversation, "Hello")).ok
    change = {"content": "Other"}

    assert (await lin.call("PATCH", f"/messages/{first['message']['id']}", json=change)).code == "chat.not_your_words"
    for method, path in (
        ("PATCH", f"/messages/{first['user_message']['id']}"),
        ("POST", f"/conversations/{conversation}/messages"),
        ("GET", f"/conversations/{conversation}/messages/{first['message']['id']}/stream"),
        ("POST", f"/conversations/{conversation}/messages/{first['message']['id']}/stop"),
    ):
        body = change if method == "PATCH" or path.endswith("messages") else None
        assert (await stranger.call(method, path, json=body)).status == 404


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


async def test_who_has_few_tokens_left_gets_a_shorter_answer(
    stand_up: Callable[..., Any], vendor: ScriptedVendor
) -> None:
    settings = settings_for(vendor)
    settings["chat"]["quota"] = {"daily_tokens": 100}
    room = Room(await stand_up(**settings), vendor)
    lin = await room.talker()
    conversation = await room.conversation(lin)
    vendor.will(Script(told("One")))

    (await lin.send(conversation, "Hello")).ok  # noqa: B018 - raises unless it is one

    assert 16 <= vendor.asked[0].body["max_tokens"] < 100
    assert (await lin.send(conversation, "word " * 100)).code == "quotas.exhausted"
