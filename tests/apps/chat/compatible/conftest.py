"""A Hutong whose only model provider follows scripts, and a user who calls it with the official SDK."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openai import AsyncOpenAI

from support.openai_client import key_of, sdk_of
from support.scripted_vendor import ScriptedVendor, scripted_vendor
from support.talk_room import Room, settings_for
from support.talker import Talker


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
async def room(stand_up: Callable[..., Any], vendor: ScriptedVendor) -> Room:
    return Room(await stand_up(**settings_for(vendor)), vendor)


@pytest.fixture
async def talker(room: Room) -> Talker:
    return await room.talker()


@pytest.fixture
async def secret(room: Room, talker: Talker) -> str:
    """The user's API key."""
    return await key_of(room.stand, talker)


@pytest.fixture
async def sdk(room: Room, secret: str) -> AsyncIterator[AsyncOpenAI]:
    """The official SDK with the user's key."""
    async with sdk_of(room.stand.base, secret) as client:
        yield client
