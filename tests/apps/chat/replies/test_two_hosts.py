"""Two hosts that share a database and a store, as two processes behind one balancer do."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from support.live_client import Delta, Done, Ready, Stopping, live
from support.scripted_vendor import ROLE, Hang, Script, ScriptedVendor, delta, told
from support.talk_room import Room, settings_for
from support.valkey import Redis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Pair:
    """Two hosts and a user of both."""

    def __init__(self, one: Room, two: Room) -> None:
        self.one, self.two = one, two


@pytest.fixture
async def pair(stand_up: Callable[..., Any], vendor: ScriptedVendor) -> Pair:
    return Pair(*[Room(await stand_up(**settings_for(vendor)), vendor) for _ in range(2)])


async def test_a_stream_is_resumed_at_another_process(pair: Pair) -> None:
    lin = await pair.one.talker()
    elsewhere = lin.at(pair.two.stand.base)
    conversation = await pair.one.conversation(lin)
    go_on, steps = asyncio.Event(), told("One", " two", " three")
    pair.one.vendor.will(Script([*steps[:3], go_on, *steps[3:]]))
    async with lin.streaming(conversation, "Count") as hearing:
        message = (await hearing.until("started")).data["message"]["id"]
        while not hearing.text.endswith("two"):
            known = (await hearing.until("delta")).id

    async with elsewhere.following(conversation, message, known) as rest:
        go_on.set()
        events = await rest.rest()

    assert rest.text == " three"
    assert events[-1].data["message"]["content"] == "One two three"
    assert [event.id for event in events] == list(range(known + 1, known + 1 + len(events)))


@pytest.mark.parametrize("begun", [True, False], ids=["after the first token", "before the first token"])
async def test_a_reply_is_stopped_from_another_process(pair: Pair, begun: bool) -> None:
    lin = await pair.one.talker()
    conversation = await pair.one.conversation(lin)
    pair.one.vendor.will(Script([ROLE, delta("Endless"), Hang()] if begun else [Hang()]))
    async with lin.streaming(conversation, "Go on") as hearing:
        message = (await hearing.until("started")).data["message"]["id"]
        if begun:
            await hearing.until("delta")
        await pair.one.vendor.hears(1)
        stop = f"/conversations/{conversation}/messages/{message}/stop"
        stopped = (await lin.at(pair.two.stand.base).call("POST", stop)).ok

    assert stopped["status"] == "stopped"
    await asyncio.wait_for(pair.one.vendor.left.wait(), 5)


async def test_tabs_on_two_processes_hear_the_same(pair: Pair) -> None:
    lin = await pair.one.talker()
    conversation = await pair.one.conversation(lin)
    pair.one.vendor.will(Script([ROLE, delta("To"), delta(" all"), Hang()]))

    async with live(pair.one.stand.base, lin.token) as one, live(pair.two.stand.base, lin.token) as two:
        await one.until(Ready)
        await two.until(Ready)
        await one.send("send", conversation_id=conversation, content="Hello")
        heard = await two.until(Delta)
        await two.asked("stop", Stopping, message_id=heard.message_id)
        ends = [await tab.until(Done) for tab in (one, two)]

    assert ends[0].message == ends[1].message
    assert one.text_of(heard.message_id) == two.text_of(heard.message_id) == "To all"


async def test_the_same_key_at_another_process_attaches(pair: Pair) -> None:
    lin = await pair.one.talker()
    conversation = await pair.one.conversation(lin)
    go_on, steps = asyncio.Event(), told("Once")
    pair.one.vendor.will(Script([*steps[:2], go_on, *steps[2:]]))
    first = asyncio.create_task(lin.send(conversation, "Hello", key="k"))
    await pair.one.vendor.hears(1)
    second = asyncio.create_task(lin.at(pair.two.stand.base).send(conversation, "Hello", key="k"))
    go_on.set()

    assert (await first).ok == (await second).ok
    assert len(pair.one.vendor.asked) == 1
    assert await pair.one.charged(lin) == (1, 10)


async def test_a_store_that_is_restarted_in_the_middle_loses_nobody_a_word(pair: Pair, store_server: Redis) -> None:
    lin = await pair.one.talker()
    conversation = await pair.one.conversation(lin)
    before, after = asyncio.Event(), asyncio.Event()
    pair.one.vendor.will(Script([ROLE, delta("One"), before, delta(" two"), after, *told(" three")[1:]]))
    async with lin.streaming(conversation, "Count") as here:
        message = (await here.until("started")).data["message"]["id"]
        await here.until("delta")
        async with lin.at(pair.two.stand.base).following(conversation, message) as there:
            await there.until("delta")
            store_server.restart()
            before.set()
            await here.until("delta")
            after.set()
            ends = [(await hearing.rest())[-1] for hearing in (here, there)]

    assert [end.kind for end in ends] == ["done", "done"]
    assert ends[0].data == ends[1].data
    assert here.text == there.text == ends[0].data["message"]["content"] == "One two three"
    assert await pair.one.charged(lin) == (1, 10)


async def test_a_host_that_leaves_interrupts_what_does_not_end_in_time(
    stand_up: Callable[..., Any], vendor: ScriptedVendor
) -> None:
    room = Room(await stand_up(**settings_for(vendor)), vendor)
    lin = await room.talker()
    conversation = await room.conversation(lin)
    vendor.will(Script([ROLE, delta("Half"), Hang()]))
    async with lin.streaming(conversation, "Go on") as hearing:
        message = (await hearing.until("started")).data["message"]["id"]
        await hearing.until("delta")
        for leave in room.stand.host.kernel.closing:
            await leave()
        end = (await hearing.rest())[-1]

    assert (end.kind, end.data["error"]["code"]) == ("error", "chat.reply_interrupted")
    assert (await room.message(lin, message)).content == "Half"
    assert (await room.charged(lin))[0] == 1
    assert (await lin.send(conversation, "More")).code == "chat.leaving"
