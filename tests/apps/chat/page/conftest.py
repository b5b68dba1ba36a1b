"""A browser for the tests of the page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from support.clicking import clicking


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with clicking() as opened:
        yield opened
