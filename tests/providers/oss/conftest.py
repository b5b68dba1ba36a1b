"""A sandbox on loopback, and a stranger who calls it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hutong.kit.clock import SystemClock
from providers.oss.stranger import Stranger
from support.buckets import OssBench, oss_bench
from support.http import http_client


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[OssBench]:
    async with oss_bench(tmp_path, SystemClock()) as made:
        yield made


@pytest.fixture
async def stranger(bench: OssBench) -> AsyncIterator[Stranger]:
    async with http_client() as client:
        secret = bench.settings.access_key_secret.get_secret_value()
        yield Stranger(bench, client, bench.settings.access_key_id, secret)
