"""kill -9 at every line between a message and its reply: a clear state, the right charge, the model asked at most once."""

from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from typing import Any

import aiohttp
import orjson
import pytest

from support.deadlines import until
from support.http import http_client
from support.installation import Caller, Installation, installed
from support.scripted_vendor import ROLE, Hang, Script, ScriptedVendor, Step, delta, scripted_vendor, told
from support.talk_room import MODEL, settings_for
from support.talker import Answer, Talker

pytestmark = [pytest.mark.slow, pytest.mark.random_order(disabled=True)]  # one process after the other
NOTHING_SAVED = ("chat.reply.reserved", "chat.reply.opened")
NOTHING_GENERATED = ("chat.reply.committed", "chat.reply.asking", "chat.reply.begun")
NOT_SETTLED = ("chat.reply.saved", "chat.reply.generated", "chat.reply.finished")
SETTLED = ("chat.reply.settled", "chat.reply.told")
numbers = count(1)


class House:
    """An installation under a supervisor, its model provider, and a user."""

    def __init__(self, installation: Installation, vendor: ScriptedVendor, talker: Talker, caller: Caller) -> None:
        self.installation, self.vendor, self.talker, self._caller = installation, vendor, talker, caller

    async def dies_at(self, failpoint: str, script: Script) -> str:
        """Send a message to whoever dies at a failpoint; returns the conversation, once somebody answers again."""
        conversation = str((await self.talker.call("POST", "/conversations", json={"model": MODEL})).ok["id"])
        self.vendor.scripts = [script]
        self.installation.arm(failpoint)
        with suppress(aiohttp.ClientError):
            await self.send(conversation)
        assert not self.installation.is_armed(failpoint), "nobody came by the failpoint"
        await self._caller.answers()
        return conversation

    async def send(self, conversation: str) -> Answer:
        """The message, always with the same key."""
        return await self.talker.send(conversation, "Hello", key=conversation)

    async def messages(self, conversation: str) -> list[Any]:
        """The messages once none is being written."""

        async def quiet() -> list[Any] | None:
            items: list[Any] = (await self.talker.call("GET", f"/conversations/{conversation}/messages")).ok["items"]
            return None if any(item["status"] == "streaming" for item in items) else [items]

        (found,) = await until(quiet, 30)
        return list(found)

    async def use(self) -> tuple[int, int]:
        """Requests and tokens of the day, with nothing reserved any more."""

        async def settled() -> list[Any] | None:
            quota = (await self.talker.call("GET", "/users/me/quota")).ok
            return None if quota["daily_requests"]["reserved"] else [quota]

        (quota,) = await until(settled, 30)
        assert quota["daily_tokens"]["reserved"] == 0
        return quota["daily_requests"]["used"], quota["daily_tokens"]["used"]


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Installation, ScriptedVendor, Any]]:
    """One installation for all deaths: SQLite, the embedded store, one API process, one worker."""
    async with scripted_vendor() as vendor, http_client(60) as client:
        settings = settings_for(vendor)
        environment = {
            "HUTONG_OPENAI__PROVIDERS": orjson.dumps(settings["openai"]["providers"]).decode(),
            "HUTONG_MODELS__TRIES": "1",
            **{
                f"HUTONG_CHAT__REPLIES__{name.upper()}": str(value)
                for name, value in settings["chat"]["replies"].items()
            },
        }
        with installed(tmp_path_factory.mktemp("deaths"), environment) as installation:
            installation.up()
            await Caller(installation, client).answers()
            yield installation, vendor, client


@pytest.fixture
async def house(running: tuple[Installation, ScriptedVendor, Any]) -> House:
    installation, vendor, client = running
    talker = await Talker(client, installation.base, f"mortal{next(numbers)}").join()
    vendor.scripts.clear()
    vendor.asked.clear()
    return House(installation, vendor, talker, Caller(installation, client))


@pytest.mark.parametrize("failpoint", NOTHING_SAVED)
async def test_dead_before_the_commit_there_was_no_message_and_the_next_try_is_the_first(
    house: House, failpoint: str
) -> None:
    conversation = await house.dies_at(failpoint, Script(told("Good", " day")))
    assert await house.messages(conversation) == []
    assert await house.use() == (0, 0)

    assert (await house.send(conversation)).ok["message"]["content"] == "Good day"
    assert await house.use() == (1, 11)


@pytest.mark.parametrize("failpoint", NOTHING_GENERATED)
async def test_dead_before_anything_was_generated_it_costs_nothing_and_the_message_stays(
    house: House, failpoint: str
) -> None:
    conversation = await house.dies_at(failpoint, Script(told("Good", " day")))
    question, reply = await house.messages(conversation)

    assert (question["content"], reply["status"], reply["content"]) == ("Hello", "interrupted", "")
    assert await house.use() == (0, 0)
    assert (await house.send(conversation)).code == "chat.reply_interrupted"  # the same key: it is not asked again
    assert len(house.vendor.asked) <= 1


@pytest.mark.parametrize("failpoint", NOT_SETTLED)
async def test_dead_with_words_they_are_kept_and_charged_once(house: House, failpoint: str) -> None:
    words: list[Step] = [ROLE, *(step for word in ("One", " two", " three") for step in (delta(word), 0.15))]
    ending: list[Step] = [Hang()] if failpoint == "chat.reply.saved" else told()[1:]
    conversation = await house.dies_at(failpoint, Script([*words, *ending]))
    _, reply = await house.messages(conversation)

    assert reply["status"] == "interrupted"
    assert reply["content"].startswith("One")
    requests, tokens = await house.use()
    assert (requests, tokens) == (1, reply["tokens_used"])
    assert tokens > reply["completion_tokens"] > 0
    assert len(house.vendor.asked) == 1


@pytest.mark.parametrize("failpoint", SETTLED)
async def test_dead_after_the_end_it_is_complete_and_stays_so(house: House, failpoint: str) -> None:
    conversation = await house.dies_at(failpoint, Script(told("Good", " day")))
    _, reply = await house.messages(conversation)

    assert (reply["status"], reply["content"]) == ("complete", "Good day")
    assert await house.use() == (1, 11)
    assert (await house.send(conversation)).ok["message"] == reply


async def test_a_sweep_that_dies_leaves_it_to_the_next_one(house: House) -> None:
    house.installation.arm("chat.sweep.read")
    words: list[Step] = [ROLE, delta("One"), 0.3, Hang()]
    conversation = await house.dies_at("chat.reply.saved", Script(words))
    _, reply = await house.messages(conversation)

    assert not house.installation.is_armed("chat.sweep.read")
    assert (reply["status"], reply["content"]) == ("interrupted", "One")
    assert await house.use() == (1, reply["tokens_used"])
