"""The socket: all tabs hear the same, a reply is resumed where it was, and everything that is wrong has a clear answer."""

import asyncio
import contextlib

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.live_client import (
    Accepted,
    Attached,
    Changed,
    Closing,
    Delta,
    Done,
    Failed,
    Pong,
    Ready,
    Started,
    Stopping,
    live,
)
from support.scripted_vendor import Hang, Script, told
from support.talk_room import Room

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_message_is_accepted_first_and_then_written_before_ones_eyes(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("Good", " day")))

    async with live(lin.base, lin.token) as tab:
        ready = await tab.until(Ready)
        accepted = await tab.asked("send", Accepted, conversation_id=conversation, content="Hello")
        done = await tab.until(Done)

    assert (ready.user_id, ready.running) == (lin.user["id"], [])
    assert accepted.user_message.content == "Hello"
    kinds = [type(frame) for frame in tab.heard if not isinstance(frame, Changed)]
    assert kinds[:3] == [Ready, Accepted, Started]
    assert tab.text_of(accepted.message.id) == done.message.content == "Good day"
    assert await room.charged(lin) == (1, 11)


async def test_all_tabs_of_a_user_hear_a_reply_and_nobody_elses_does(room: Room) -> None:
    lin, stranger = await room.talker(), await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("To", " all")))

    async with (
        live(lin.base, lin.token) as one,
        live(lin.base, lin.token) as two,
        live(lin.base, stranger.token) as other,
    ):
        for tab in (one, two, other):
            await tab.until(Ready)
        sent = (await lin.send(conversation, "Hello")).ok
        for tab in (one, two):
            done = await tab.until(Done)
            assert done.message.id == sent["message"]["id"]
            assert tab.text_of(done.message.id) == "To all"
        await other.asked("ping", Pong)

    assert [type(frame) for frame in other.heard] == [Ready, Pong]


async def test_a_reply_is_heard_from_where_one_was(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    go_on, steps = asyncio.Event(), told("One", " two", " three")
    room.vendor.will(Script([*steps[:3], go_on, *steps[3:]]))
    async with live(lin.base, lin.token) as tab:
        await tab.until(Ready)
        accepted = await tab.asked("send", Accepted, conversation_id=conversation, content="Count")
        known = await tab.until(Delta)
        while not tab.text_of(accepted.message.id).endswith("two"):
            known = await tab.until(Delta)

    async with live(lin.base, lin.token) as again:
        ready = await again.until(Ready)
        assert [one.message_id for one in ready.running] == [accepted.message.id]
        await again.asked("attach", Attached, message_id=accepted.message.id, after=known.seq)
        go_on.set()
        done = await again.until(Done)

    assert again.text_of(accepted.message.id) == " three"
    assert done.message.content == "One two three"


async def test_a_reply_is_stopped_from_another_tab(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script([*told("Endless")[:2], Hang()]))

    async with live(lin.base, lin.token) as one, live(lin.base, lin.token) as two:
        await one.until(Ready)
        await two.until(Ready)
        accepted = await one.asked("send", Accepted, conversation_id=conversation, content="Go on")
        await two.until(Delta)
        await two.asked("stop", Stopping, message_id=accepted.message.id)
        for tab in (one, two):
            assert (await tab.until(Done)).message.status == "stopped"

    await asyncio.wait_for(room.vendor.left.wait(), 5)


async def test_the_same_key_attaches_to_the_same_reply(room: Room) -> None:
    lin = await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("Once")))
    frame = {"conversation_id": conversation, "content": "Hello", "key": "k-1"}

    async with live(lin.base, lin.token) as tab:
        await tab.until(Ready)
        first = await tab.asked("send", Accepted, **frame)
        await tab.until(Done)
        second = await tab.asked("send", Accepted, **frame)
        again = await tab.until(Done)

    assert (first.fresh, second.fresh) == (True, False)
    assert first.message.id == second.message.id == again.message.id
    assert len(room.vendor.asked) == 1
    assert await room.charged(lin) == (1, 10)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "send", "conversation_id": "x", "content": "Hello"}, "chat.conversation_unknown"),
        ({"type": "stop", "message_id": "x"}, "chat.message_unknown"),
        ({"type": "attach", "message_id": "x"}, "chat.message_unknown"),
        ({"type": "send", "conversation_id": "x"}, "socket.frame_invalid"),
        ({"type": "dance"}, "socket.frame_unknown"),
        ({"type": "stop", "message_id": "x", "more": 1}, "socket.frame_invalid"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else value["type"],
)
async def test_what_is_wrong_is_told_and_the_socket_stays(room: Room, frame: dict[str, object], code: str) -> None:
    lin = await room.talker()

    async with live(lin.base, lin.token) as tab:
        await tab.until(Ready)
        kind = str(frame["type"])
        failed = await tab.asked(kind, Failed, **{name: value for name, value in frame.items() if name != "type"})
        await tab.asked("ping", Pong)

    assert failed.error.code == code


async def test_somebody_elses_reply_cannot_be_heard_or_stopped(room: Room) -> None:
    lin, stranger = await room.talker(), await room.talker()
    conversation = await room.conversation(lin)
    room.vendor.will(Script(told("Mine")))
    reply = (await lin.send(conversation, "Hello")).ok["message"]["id"]

    async with live(lin.base, stranger.token) as tab:
        await tab.until(Ready)
        for kind in ("attach", "stop"):
            assert (await tab.asked(kind, Failed, message_id=reply)).error.code == "chat.message_unknown"


async def test_a_ticket_opens_one_socket(room: Room) -> None:
    lin = await room.talker()
    ticket = (await lin.call("POST", "/ws/ticket")).ok["ticket"]

    async with live(lin.base, ticket=ticket) as tab:
        assert (await tab.until(Ready)).user_id == lin.user["id"]
    async with live(lin.base, ticket=ticket) as tab:
        assert (await tab.until(Failed)).error.code == "identity.token_invalid"
        assert await tab.closed() == 4401


async def test_a_page_of_others_may_not_open_a_socket(room: Room) -> None:
    lin = await room.talker()

    with pytest.raises(InvalidStatus) as refused:
        async with live(lin.base, lin.token, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_frame_of_ten_megabytes_ends_its_socket_and_nothing_else(room: Room) -> None:
    lin = await room.talker()

    async with live(lin.base, lin.token) as tab, live(lin.base, lin.token) as other:
        await tab.until(Ready)
        await other.until(Ready)
        with contextlib.suppress(ConnectionClosed):  # the server does not read to the end
            await tab.connection.send("x" * 10_000_000)
        assert await tab.closed() == 1009
        await other.asked("ping", Pong)


async def test_whoever_hears_nothing_learns_of_changed_conversations(room: Room) -> None:
    lin = await room.talker()

    async with live(lin.base, lin.token) as tab:
        await tab.until(Ready)
        await room.conversation(lin)
        await tab.until(Changed)

    assert not [frame for frame in tab.heard if isinstance(frame, Closing)]
