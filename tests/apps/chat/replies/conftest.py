"""A Hutong whose only model provider follows scripts, and users who talk through it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.scripted_vendor import ScriptedVendor, scripted_vendor
from support.talk_room import Room, settings_for


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
async def room(stand_up: Callable[..., Any], vendor: ScriptedVendor) -> Room:
    return Room(await stand_up(**settings_for(vendor)), vendor)
