"""Conversations branch where a reply is written again or a message edited."""

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
