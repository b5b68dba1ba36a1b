"""A sandbox that is served, and the clients that call it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hutong.kernel.gateway import tokens
from hutong.kernel.http.outbound import Outbound
from support.openai_sandbox import OpenAIBench, openai_bench


@pytest.fixture(scope="session", autouse=True)
def _vocabulary() -> None:
    """Loaded before limits of tenths of a second count."""
    tokens.warm()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[OpenAIBench]:
    async with openai_bench(tmp_path) as made:
        yield made


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound(allow_private=True)
    yield made
    await made.close()
