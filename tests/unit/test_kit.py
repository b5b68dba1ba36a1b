"""Ids, text, languages, addresses, strict JSON: pure code, exhaustively."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.kernel.http.addresses import ClientAddress
from hutong.kernel.http.outbound import is_public
from hutong.kernel.http.strict import BodyMalformed, parse_json
from hutong.kernel.observability.logs import redact
from hutong.kit.ids import EPOCH_MS, MAX_ID, ClockMovedBack, Snowflake, created_at, parse_id
from hutong.kit.tasks import Shared


@given(st.lists(st.integers(-4000, 4000), min_size=1, max_size=60))
def test_ids_never_repeat_however_the_clock_steps(steps: list[int]) -> None:
    """Forth and back within what can be bridged, many ids in each millisecond."""
    now = EPOCH_MS + 10_000_000
    moments = [now]
    make = Snowflake(3, lambda: moments[-1])
    seen: list[int] = []
    for step in steps:
        moments.append(now + step)
        try:
            seen.extend(make() for _ in range(50))
        except ClockMovedBack:
            continue

    assert len(set(seen)) == len(seen) and seen == sorted(seen)
    assert all(0 < value <= MAX_ID for value in seen)


def test_a_clock_that_ran_back_too_far_is_refused() -> None:
    moments = [EPOCH_MS + 100_000]
    make = Snowflake(0, lambda: moments[-1])
    make()
    moments.append(moments[0] - 60_000)

    with pytest.raises(ClockMovedBack):
        make()


def test_a_machine_number_that_is_taken_over_starts_behind_its_last_holder() -> None:
    now = EPOCH_MS + 1000
    first = Snowflake(5, lambda: now)
    used = {first() for _ in range(5000)}
    second = Snowflake(5, lambda: now, last_ms=first.last_ms)

    assert not used & {second() for _ in range(5000)}


def test_an_id_tells_its_moment() -> None:
    make = Snowflake(1, lambda: EPOCH_MS + 1234)

    assert created_at(make()) == datetime(2025, 1, 1, 0, 0, 1, 234000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "+1", "1.0", "١", "9" * 20, str(2**63), "1_0", " 1"])
def test_what_is_no_id(text: str) -> None:
    assert parse_id(text) is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0",
     "::ffff:127.0.0.1", "fe80::1%eth0", "224.0.0.1", "fd00::1", "nonsense"],
)  # fmt: skip
def test_addresses_that_are_never_fetched(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert is_public("93.184.216.34") and is_public("2606:2800:220:1::1")


def test_forwarded_addresses_are_believed_from_proxies_only() -> None:
    def scope(client: str, forwarded: str) -> dict[str, object]:
        return {"client": (client, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    address = ClientAddress(["10.0.0.0/8"])

    assert address.of(scope("10.0.0.1", "1.1.1.1, 2.2.2.2")) == "2.2.2.2"
    assert address.of(scope("10.0.0.1", "1.1.1.1, 10.9.9.9")) == "1.1.1.1"
    assert address.of(scope("3.3.3.3", "1.1.1.1")) == "3.3.3.3"
    assert address.of(scope("10.0.0.1", "evil\r\n, nonsense")) == "10.0.0.1"
    assert ClientAddress([]).of({"client": ("2001:db8:1:2:3:4:5:6", 1), "headers": []}) == "2001:db8:1:2::"


@pytest.mark.parametrize(
    ("client", "forwarded", "told"),
    [
        ("::ffff:198.51.100.7", "", "198.51.100.7"),
        ("::FFFF:c633:6407", "", "198.51.100.7"),
        ("::ffff:10.0.0.1", "1.1.1.1, ::ffff:2.2.2.2", "2.2.2.2"),
        ("10.0.0.1", "1.1.1.1, ::ffff:10.9.9.9", "1.1.1.1"),
        ("fe80::1%eth0", "", "fe80::"),
        ("::1", "1.1.1.1", "::"),
    ],
)
def test_who_comes_by_ipv4_through_a_socket_for_both_is_one_address(client: str, forwarded: str, told: str) -> None:
    """Not one /64 together with everybody else who does: they would lock each other out (defect 10 of the origin)."""
    scope = {"client": (client, 1), "headers": [(b"x-forwarded-for", forwarded.encode())] if forwarded else []}

    assert ClientAddress(["10.0.0.0/8"]).of(scope) == told


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'{"a":-Infinity}',
        b'["\\ud800"]',
        b'["\\u0000"]',
        b"[" * 40 + b"]" * 40,
        b"\xff",
        b"",
    ],
)
def test_json_that_is_refused(body: bytes) -> None:
    with pytest.raises(BodyMalformed):
        parse_json(body)


def test_logs_hide_secrets_by_name_and_by_form() -> None:
    event = {
        "token": "abc",
        "url": "http://x/?s=1&sig=SECRET",
        "header": "Bearer abc.def",
        "key": "sk-1234567890",
        "n": 5,
    }

    assert (
        "SECRET" not in str(redact(event))
        and "abc" not in str(redact(event))
        and "sk-1234567890" not in str(redact(event))
    )
    assert redact({"n": 5}) == {"n": 5}


async def test_shared_work_is_done_once_and_a_caller_that_leaves_takes_nothing_away() -> None:
    shared: Shared[str, int] = Shared()
    gate, runs = asyncio.Event(), []

    async def work() -> int:
        runs.append(1)
        await gate.wait()
        return len(runs)

    callers = [asyncio.create_task(shared.do("a", work)) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [1, 1]
    assert await shared.do("a", work) == 2


async def test_shared_work_that_fails_fails_for_all_and_may_be_tried_again() -> None:
    shared: Shared[str, int] = Shared()
    failing = [True]

    async def work() -> int:
        if failing:
            raise ValueError("no")
        return 1

    results = await asyncio.gather(*(shared.do("a", work) for _ in range(2)), return_exceptions=True)
    failing.clear()

    assert [type(result) for result in results] == [ValueError, ValueError]
    assert await shared.do("a", work) == 1
