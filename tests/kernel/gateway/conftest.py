"""A gateway between a test and two scripted vendors."""

from collections.abc import AsyncIterator

import pytest

from support.chat_stand import ChatStand, chat_stand


@pytest.fixture
async def stand() -> AsyncIterator[ChatStand]:
    async with chat_stand() as made:
        yield made
