"""The sandbox inside an installation: what a fresh start uses, reached through the gateway and the host's own address."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hutong.kernel.gateway.errors import ChatInterrupted, ProviderBlocked
from support.chat_bench import CALL, heard
from support.openai_sandbox import MODEL, press_openai, said, sdk_for
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CHAT = replace(CALL, model=MODEL, body={"messages": said("What is 17 * 23?")})


@pytest.fixture
async def fresh(stand_up: Callable[..., Any]) -> Stand:
    """Nothing is set that has to do with models, but that each is asked once."""
    started: Stand = await stand_up(models={"tries": 1})
    return started


async def test_a_fresh_installation_chats_with_its_sandbox(fresh: Stand) -> None:
    chats = fresh.host.kernel.gateway.chats
    answer = await chats.complete(CHAT, vip=False)
    stream = await chats.stream(CHAT, vip=False)
    found = await heard(stream)

    assert b"391" in answer.body and "391" in found.text and found.failure is None
    assert answer.receipt.usage == (await stream.receipt()).usage
    async with fresh.client.get(f"{fresh.base}/?lang=en") as page:
        assert "OpenAI sandbox" in await page.text()


async def test_its_buttons_work_from_the_hosts_address(fresh: Stand) -> None:
    """Behind everything that the host wraps around it, a connection is cut all the same."""
    sandbox, chats = f"{fresh.base}/sandbox/openai", fresh.host.kernel.gateway.chats
    await press_openai(fresh.client, sandbox, "cut", after=2)
    found = await heard(await chats.stream(CHAT, vip=False))
    await press_openai(fresh.client, sandbox, "fail", code="insufficient_quota")
    with pytest.raises(ProviderBlocked):
        await chats.complete(CHAT, vip=False)
    state = await press_openai(fresh.client, sandbox, "reset")

    assert isinstance(found.failure, ChatInterrupted) and found.text != ""
    assert [call["outcome"] for call in state["calls"]] == ["insufficient_quota", "cut"]


async def test_the_vendors_sdk_reaches_it_there(fresh: Stand) -> None:
    async with sdk_for(f"{fresh.base}/sandbox/openai/v1") as sdk:
        assert MODEL in {model.id async for model in sdk.models.list()}
