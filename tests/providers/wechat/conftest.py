"""Benches of both APIs, and keys that are made once for all tests of this folder: a pair takes a tenth of a second."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.ports import PaymentChannel
from hutong.kit.clock import ManualClock, SystemClock
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from providers.wechat.forge import Forge
from support.payments import PayBench, pay_bench, wechat, wechat_sandbox, wechat_v2


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> SandboxKeys:
    return SandboxKeys(tmp_path_factory.mktemp("wechat-keys"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
def forge(keys: SandboxKeys, clock: ManualClock) -> Forge:
    return Forge(keys, clock)


@pytest.fixture
async def channel(keys: SandboxKeys, clock: ManualClock) -> AsyncIterator[PaymentChannel]:
    """A channel that reads notices; whatever it would call is not there."""
    outbound = Outbound(allow_private=True)
    yield wechat(keys.folder, "http://127.0.0.1:9", outbound, clock)
    await outbound.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[PayBench]:
    async with pay_bench(tmp_path, wechat, wechat_sandbox) as made:
        yield made


@pytest.fixture
async def v2_bench(tmp_path: Path) -> AsyncIterator[PayBench]:
    async with pay_bench(tmp_path, wechat_v2, wechat_sandbox) as made:
        yield made
