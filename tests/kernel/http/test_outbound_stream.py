"""`Outbound.stream`: the same guard, breaker and metrics as for whole answers, and nothing that arrived is dropped."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hutong.kernel.http.outbound import AddressRefused, CircuitOpen, Outbound, OutboundFailed
from hutong.kernel.http.streamed import Streamed
from hutong.kernel.observability.metrics import outbound_seconds
from support.scripted_vendor import Cut, Hang, Script, ScriptedVendor, Step, scripted_vendor


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    made = Outbound(allow_private=True)
    yield made
    await made.close()


async def _open(
    outbound: Outbound, url: str, *, vendor: str = "v", first: float = 1.0, largest: int = 10_000
) -> Streamed:
    return await outbound.stream(vendor, "c", "POST", url, headers={}, first=first, timeout=10, largest=largest)


async def _all(running: Streamed) -> bytes:
    content = b""
    while chunk := await running.read():
        content += chunk
    return content


def _seen(outcome: str) -> float:
    count = outbound_seconds.labels("v", "c", outcome)._sum.get()
    return float(count)


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://localhost:1/", "http://127.0.0.1:1/", "ftp://x/"])
async def test_addresses_inside_are_refused(url: str) -> None:
    guarded = Outbound(allow_private=False)

    with pytest.raises(AddressRefused):
        await _open(guarded, url)

    await guarded.close()


async def test_what_arrived_before_a_cut_is_read_before_it_is_told(outbound: Outbound) -> None:
    async with scripted_vendor() as vendor:
        vendor.will(Script([b"one", b"two", Cut()]))
        running = await _open(outbound, vendor.url)
        await asyncio.sleep(0.1)  # all of it is here, and the cut too, before the first look
        before = _seen("lost")

        assert await running.read() == b"onetwo"
        with pytest.raises(OutboundFailed):
            await running.read()
        assert await running.read() == b""
        assert _seen("lost") > before


async def test_it_is_no_longer_than_allowed(outbound: Outbound) -> None:
    async with scripted_vendor() as vendor:
        vendor.will(Script([b"x" * 600, b"x" * 600]))

        with pytest.raises(OutboundFailed):
            await _all(await _open(outbound, vendor.url, largest=1000))


FAILURES: dict[str, list[Step]] = {
    "cut": [Cut()],
    "cut later": [b"x", Cut()],
    "silent": [Hang()],
    "silent later": [b"x", Hang()],
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_vendor_that_keeps_failing_is_left_alone(outbound: Outbound, name: str) -> None:
    async with scripted_vendor() as vendor:
        vendor.will(*[Script(FAILURES[name])] * 8)
        for _ in range(8):
            with pytest.raises(OutboundFailed):
                await _read_with_limit(outbound, vendor)

        with pytest.raises(CircuitOpen):
            await _open(outbound, vendor.url)


async def _read_with_limit(outbound: Outbound, vendor: ScriptedVendor) -> None:
    running = await _open(outbound, vendor.url, first=0.05)
    running.expect(0.05)
    await _all(running)


async def test_callers_who_leave_say_nothing_about_the_vendor(outbound: Outbound) -> None:
    """Seven failures, some callers who lost patience, and the eighth failure opens the breaker all the same."""
    async with scripted_vendor() as vendor:
        vendor.will(*[Script([Cut()])] * 7, Script([Hang()]), Script([Cut()]))
        for _ in range(7):
            with pytest.raises(OutboundFailed):
                await _open(outbound, vendor.url)
        waiting = asyncio.create_task(_open(outbound, vendor.url))
        await vendor.hears(8)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(OutboundFailed):
            await _open(outbound, vendor.url)

        with pytest.raises(CircuitOpen):
            await _open(outbound, vendor.url)


async def test_the_timer_looks_at_the_latest_wish_only(outbound: Outbound) -> None:
    async with scripted_vendor() as vendor:
        vendor.will(Script([b"a", 0.3, b"b", Hang()]))
        running = await _open(outbound, vendor.url)
        running.expect(5)
        assert await running.read() == b"a"
        running.expect(0.1)
        running.relax()
        assert await running.read() == b"b"  # 0.3 s later: nothing was expected
        running.expect(5)
        running.expect(0.05)
        with pytest.raises(OutboundFailed):
            await running.read()
