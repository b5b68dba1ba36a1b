"""A Hutong whose only model provider follows scripts, and a browser."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from playwright.async_api import Browser

from support.clicking import clicking
from support.scripted_vendor import ScriptedVendor, scripted_vendor
from support.stand import Stand
from support.talk_room import settings_for


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with clicking() as opened:
        yield opened


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with scripted_vendor() as vendor:
        yield vendor


@pytest.fixture
async def talking(stand_up: Callable[..., Any], vendor: ScriptedVendor) -> Stand:
    stand: Stand = await stand_up(**settings_for(vendor))
    return stand
