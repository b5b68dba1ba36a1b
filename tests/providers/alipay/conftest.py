"""Alipay's sandbox on loopback, with a channel and a merchant."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.alipay.bench import AlipayBench, alipay_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[AlipayBench]:
    async with alipay_bench(tmp_path) as made:
        yield made
