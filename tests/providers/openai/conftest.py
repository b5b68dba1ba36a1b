"""A vendor that follows scripts, and the client that calls it."""

from collections.abc import AsyncIterator

import pytest

from hutong.kernel.http.outbound import Outbound
from hutong.providers.openai.client import OpenAIChat
from support.chat_bench import client_of
from support.scripted_vendor import ScriptedVendor, scripted_vendor


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with scripted_vendor() as running:
        yield running


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound(allow_private=True)
    yield made
    await made.close()


@pytest.fixture
def client(vendor: ScriptedVendor, outbound: Outbound) -> OpenAIChat:
    return client_of(vendor.url, outbound)
