"""Reserve, settle, release: what each does to the four counters, on every database."""

import asyncio
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import text

from hutong.kernel.db import Connection, Database
from hutong.kernel.observability.invariants import check
from hutong.kernel.quotas import INVARIANTS, Limits, QuickQuotas, QuotaExhausted, Quotas, QuotaUse, forget_closed
from hutong.kit.clock import ManualClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMITS = Limits(10, 15, 1_000, 1_500)
ALL = Limits(None, None, None, None)
USER = 42


class Bench:
    """Quotas of one realm on a clock that is set by hand."""

    def __init__(self, db: Database, refunds: int = 20) -> None:
        self.db, self.clock = db, ManualClock(NOON)
        self.quotas = Quotas("chat", self.clock, refunds)
        self.quick = QuickQuotas(self.quotas, db)
        self.ids = count(1)

    async def reserve(self, tokens: int = 100, limits: Limits = LIMITS, seconds: float = 60.0, user: int = USER) -> int:
        number = next(self.ids)
        words = {"reservation_id": number, "user_id": user, "limits": limits, "tokens": tokens}
        await self.db.write(self.quotas.reserve, **words, seconds=seconds, owner=f"reply:{number}")  # type: ignore[arg-type]
        return number

    async def settle(self, number: int, tokens: int) -> bool:
        return await self.db.write(self.quotas.settle, number, tokens)

    async def release(self, number: int) -> bool:
        return await self.db.write(self.quotas.release, number)

    async def expire(self, *numbers: int) -> None:
        """As if they had been reserved long ago: leases go by the database's clock."""
        await self.db.write(self.quotas.extend, numbers, -1.0)

    async def usage(self, limits: Limits = LIMITS) -> QuotaUse:
        return await self.db.read(self.quotas.usage, USER, limits)

    async def used(self) -> tuple[int, int, int, int]:
        """The four counters, what is reserved with them."""
        use = await self.usage(ALL)
        counters = (use.daily_requests, use.monthly_requests, use.daily_tokens, use.monthly_tokens)
        day, month, day_tokens, month_tokens = (counter.used + counter.reserved for counter in counters)
        return day, month, day_tokens, month_tokens


@pytest.fixture
async def bench(db: Database) -> Bench:
    return Bench(db)


@pytest.fixture(autouse=True)
async def every_promise_is_kept(db: Database) -> object:
    yield
    assert await db.read(check, INVARIANTS) == []


async def test_what_is_reserved_is_taken_until_it_is_settled_with_its_true_use(bench: Bench) -> None:
    first = await bench.reserve(300)
    running = await bench.usage()
    assert (running.daily_tokens.used, running.daily_tokens.reserved, running.daily_tokens.remaining) == (0, 300, 700)
    assert (running.daily_requests.used, running.daily_requests.reserved) == (0, 1)

    assert await bench.settle(first, 120)
    done = await bench.usage()
    assert (done.daily_tokens.used, done.daily_tokens.reserved, done.daily_tokens.remaining) == (120, 0, 880)
    assert (done.monthly_tokens.used, done.monthly_tokens.remaining) == (120, 1_380)
    assert (done.monthly_requests.used, done.monthly_requests.remaining) == (1, 14)
    assert done.daily_tokens.resets_at == datetime(2026, 11, 25, tzinfo=UTC)
    assert done.monthly_tokens.resets_at == datetime(2026, 12, 1, tzinfo=UTC)


async def test_a_reservation_is_closed_once(bench: Bench) -> None:
    """Whoever comes second changes nothing, whether they settle or release."""
    first, second = await bench.reserve(), await bench.reserve()

    assert [await bench.settle(first, 10), await bench.settle(first, 99), await bench.release(first)] == [
        True,
        False,
        False,
    ]
    assert [await bench.release(second), await bench.release(second), await bench.settle(second, 99)] == [
        True,
        False,
        False,
    ]
    assert await bench.used() == (1, 1, 10, 10)
    assert not await bench.settle(12_345, 1)


async def test_of_twenty_that_close_one_reservation_one_does(bench: Bench) -> None:
    number = await bench.reserve(100)
    won = await asyncio.gather(
        *(bench.settle(number, 7) for _ in range(10)), *(bench.release(number) for _ in range(10))
    )

    assert sum(won) == 1
    assert await bench.used() in [(1, 1, 7, 7), (0, 0, 0, 0)]


async def test_settlements_at_once_all_count(bench: Bench) -> None:
    numbers = [await bench.reserve(10, ALL) for _ in range(40)]
    ended = await asyncio.gather(
        *(bench.settle(n, 3) if n % 2 else bench.quick.settle(n, 5) for n in numbers[:30]),
        *(bench.release(n) for n in numbers[30:]),
    )

    assert all(ended)
    assert await bench.used() == (30, 30, 15 * 3 + 15 * 5, 15 * 3 + 15 * 5)


@pytest.mark.parametrize("counter", ["daily_requests", "monthly_requests", "daily_tokens", "monthly_tokens"])
async def test_a_full_counter_refuses_and_says_which_and_until_when(bench: Bench, counter: str) -> None:
    limits = ALL.with_own({counter: 2 if counter.endswith("requests") else 200})
    for _ in range(2):
        await bench.reserve(100, limits)
    before = await bench.used()
    with pytest.raises(QuotaExhausted) as refused:
        await bench.reserve(100, limits)
    error, monthly = refused.value, counter.startswith("monthly")

    assert (error.status, error.code) == (429, "quotas.exhausted")
    assert error.details == {
        "counter": counter,
        "limit": limits.of(counter),  # type: ignore[arg-type]
        "used": 2 if counter.endswith("requests") else 200,
        "needed": 1 if counter.endswith("requests") else 100,
        "resets_at": "2026-12-01T00:00:00.000Z" if monthly else "2026-11-25T00:00:00.000Z",
    }
    assert error.retry_after == (6.5 if monthly else 0.5) * 86_400
    kind = counter.split("_")[1]
    assert error.headers == {
        "x-should-retry": "false",
        f"x-ratelimit-limit-{kind}": str(limits.of(counter)),  # type: ignore[arg-type]
        f"x-ratelimit-remaining-{kind}": "0",
        f"x-ratelimit-reset-{kind}": "156h0m0s" if monthly else "12h0m0s",
    }
    assert await bench.used() == before


async def test_of_two_full_counters_the_one_that_begins_anew_last_is_named(bench: Bench) -> None:
    """Whoever waited for midnight would be refused again."""
    with pytest.raises(QuotaExhausted) as refused:
        await bench.reserve(100, Limits(0, 10, 50, 50))

    assert refused.value.details is not None
    assert refused.value.details["counter"] == "monthly_tokens"


async def test_nought_allows_nothing_and_none_everything(bench: Bench) -> None:
    with pytest.raises(QuotaExhausted):
        await bench.reserve(0, Limits(0, None, None, None))
    with pytest.raises(QuotaExhausted):
        await bench.reserve(1, Limits(None, None, 0, None))
    await bench.reserve(10**12, ALL)

    assert (await bench.usage(ALL)).daily_tokens.remaining is None
    assert (await bench.usage(Limits(0, 0, 0, 0))).daily_tokens.remaining == 0
    assert (await bench.usage(ALL)).headers(NOON) == {}


def test_a_vip_has_more_and_a_user_may_have_limits_of_their_own() -> None:
    vip = Limits(100, 2_000, 200_000, None).times(10)

    assert vip == Limits(1_000, 20_000, 2_000_000, None)
    assert vip.with_own({"daily_requests": 0, "monthly_requests": None}) == Limits(0, 20_000, 2_000_000, None)


async def test_a_settlement_larger_than_its_reservation_is_charged_in_full(bench: Bench) -> None:
    """The counter passes its limit, and the next one is refused."""
    number = await bench.reserve(900)
    await bench.settle(number, 1_700)
    use = await bench.usage()

    assert (use.daily_tokens.used, use.daily_tokens.remaining, use.monthly_tokens.remaining) == (1_700, 0, 0)
    with pytest.raises(QuotaExhausted):
        await bench.reserve(0, LIMITS)


async def test_counters_begin_anew_at_midnight_and_with_the_month(bench: Bench) -> None:
    await bench.settle(await bench.reserve(500), 400)
    bench.clock.advance(12 * 3600 - 1)
    assert await bench.used() == (1, 1, 400, 400)
    bench.clock.advance(1)
    assert await bench.used() == (0, 1, 0, 400)
    await bench.settle(await bench.reserve(100), 50)
    assert await bench.used() == (1, 2, 50, 450)

    bench.clock.advance(7 * 86_400)
    assert await bench.used() == (0, 0, 0, 0)
    await bench.reserve(1)
    assert await bench.used() == (1, 1, 1, 1)


async def test_a_full_day_lets_the_next_one_begin(bench: Bench) -> None:
    for _ in range(10):
        await bench.reserve(1)
    with pytest.raises(QuotaExhausted):
        await bench.reserve(1)
    bench.clock.advance(86_400)
    await bench.reserve(1)

    assert await bench.used() == (1, 11, 1, 11)


@pytest.mark.parametrize("true_use", [40, 250])
async def test_a_settlement_after_midnight_touches_the_month_only(bench: Bench, true_use: int) -> None:
    late = await bench.reserve(100)
    bench.clock.advance(86_400)
    await bench.reserve(10)
    await bench.settle(late, true_use)

    assert await bench.used() == (1, 2, 10, 10 + true_use)


async def test_a_settlement_after_the_months_end_touches_nothing(bench: Bench) -> None:
    late, given_back = await bench.reserve(100), await bench.reserve(100)
    bench.clock.advance(10 * 86_400)
    await bench.reserve(10)

    assert await bench.settle(late, 5) and await bench.release(given_back)
    assert await bench.used() == (1, 1, 10, 10)


async def test_a_settlement_after_midnight_before_anybody_reserves_again(bench: Bench) -> None:
    late = await bench.reserve(100)
    bench.clock.advance(86_400)
    await bench.settle(late, 60)

    assert await bench.used() == (0, 1, 0, 60)
    await bench.reserve(10)
    assert await bench.used() == (1, 2, 10, 70)


async def test_a_machine_whose_clock_is_behind_does_not_turn_the_day_back(bench: Bench) -> None:
    """What it reserves goes to the window that has begun, and is settled there."""
    bench.clock.step(86_400)
    await bench.reserve(100)
    bench.clock.step(-86_400)
    late = await bench.reserve(50)
    await bench.settle(late, 30)
    bench.clock.step(86_400)

    assert await bench.used() == (2, 2, 130, 130)


async def test_release_gives_request_and_tokens_back(bench: Bench) -> None:
    await bench.release(await bench.reserve(300))

    assert await bench.used() == (0, 0, 0, 0)


async def test_refunds_of_requests_end_and_those_of_tokens_do_not(db: Database) -> None:
    """So nobody gets requests for nothing by making them fail; the next day is another one."""
    bench = Bench(db, refunds=3)
    for _ in range(5):
        await bench.release(await bench.reserve(100))
    assert await bench.used() == (2, 2, 0, 0)

    bench.clock.advance(86_400)
    await bench.release(await bench.reserve(100))
    assert await bench.used() == (0, 2, 0, 0)


async def test_what_reserve_answers_is_what_headers_need(bench: Bench) -> None:
    use = [
        await bench.quick.reserve(
            reservation_id=next(bench.ids), user_id=USER, limits=LIMITS, tokens=100, seconds=60.0, owner="completion:1"
        )
        for _ in range(7)
    ][-1]

    assert use.headers(NOON) == {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "12h0m0s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "300",
        "x-ratelimit-reset-tokens": "12h0m0s",
    }
    bench.clock.advance(86_400)
    later = await bench.quick.reserve(
        reservation_id=next(bench.ids), user_id=USER, limits=LIMITS, tokens=100, seconds=60.0, owner="completion:2"
    )
    assert later.headers(bench.clock.now())["x-ratelimit-remaining-tokens"] == "700"
    assert later.headers(bench.clock.now())["x-ratelimit-limit-tokens"] == "1500"


async def test_the_quick_way_keeps_the_same_books(bench: Bench) -> None:
    numbers = [next(bench.ids) for _ in range(3)]
    for number in numbers:
        words = {"reservation_id": number, "user_id": USER, "limits": LIMITS, "tokens": 300, "seconds": 60.0}
        await bench.quick.reserve(**words, owner="completion:1")  # type: ignore[arg-type]
    with pytest.raises(QuotaExhausted):
        await bench.quick.reserve(**words | {"reservation_id": 99}, owner="completion:1")  # type: ignore[arg-type]

    assert [await bench.quick.settle(numbers[0], 20), await bench.quick.settle(numbers[0], 20)] == [True, False]
    assert [await bench.quick.release(numbers[1]), await bench.quick.release(numbers[1])] == [True, False]
    assert await bench.used() == (2, 2, 320, 320)


async def test_what_expired_is_listed_for_its_owner_until_it_is_closed(bench: Bench) -> None:
    late, running, kept = [await bench.reserve() for _ in range(3)]
    await bench.expire(late, kept)
    await bench.db.write(bench.quotas.extend, [kept, running], 60.0)

    (found,) = await bench.db.read(bench.quotas.expired, 10)
    assert (found.id, found.user_id, found.owner, found.tokens) == (late, USER, f"reply:{late}", 100)
    assert await bench.db.read(bench.quotas.expired, 10, "reply") == [found]
    assert await bench.db.read(bench.quotas.expired, 10, "completion") == []
    assert await bench.settle(late, 30)
    assert await bench.db.read(bench.quotas.expired, 10) == []


async def test_a_reservation_of_another_realm_is_not_touched(bench: Bench, db: Database) -> None:
    number = await bench.reserve()
    await bench.expire(number)
    other = Quotas("album", bench.clock)

    assert not await db.write(other.settle, number, 1)
    assert not await db.write(other.release, number)
    assert await db.read(other.expired) == []
    assert (await db.read(other.usage, USER, ALL)).daily_requests.reserved == 0


async def test_what_closed_long_ago_is_forgotten_and_what_is_open_is_not(bench: Bench, db: Database) -> None:
    closed, open_ = await bench.reserve(), await bench.reserve()
    await bench.expire(closed, open_)
    await bench.settle(closed, 1)

    assert await db.write(forget_closed, 3600.0) == 0
    assert [await db.write(forget_closed, 0.0), await db.write(forget_closed, 0.0)] == [1, 0]
    assert len(await db.read(bench.quotas.expired)) == 1


async def test_a_user_who_is_removed_leaves_nothing(bench: Bench, db: Database) -> None:
    number = await bench.reserve()
    await bench.reserve(user=43)
    await db.write(bench.quotas.remove, USER)

    assert await bench.used() == (0, 0, 0, 0)
    assert not await bench.settle(number, 1)
    left = await db.read(lambda conn: conn.execute(text("SELECT user_id FROM user_quotas")).scalars().all())
    assert list(left) == [43]


@pytest.mark.parametrize(("tokens", "seconds"), [(-1, 1.0), (2**53, 1.0), (1, 0.0)])
async def test_amounts_that_are_none_are_refused(bench: Bench, tokens: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        await bench.reserve(tokens, seconds=seconds)
    with pytest.raises(ValueError, match="cannot be"):
        await bench.settle(1, -1)


BROKEN = {
    "quotas.day_within_month": "UPDATE user_quotas SET daily_tokens = monthly_tokens + 1",
    "quotas.reserved_today_is_counted": "UPDATE user_quotas SET daily_requests = 0",
    "quotas.reserved_this_month_is_counted": "UPDATE user_quotas SET monthly_tokens = 1, daily_tokens = 1",
    "quotas.closed_says_what_was_used": "UPDATE quota_reservations SET state = 'settled'",
    "quotas.nobody_forgets_a_reservation": "UPDATE quota_reservations SET expires_at = '2026-01-01 00:00:00.000000'",
}


@pytest.mark.parametrize("promise", BROKEN)
async def test_a_broken_promise_is_found(bench: Bench, db: Database, promise: str) -> None:
    await bench.reserve()

    def look(conn: Connection) -> set[str]:
        conn.execute(text(BROKEN[promise]))
        found = {violation.invariant for violation in check(conn, INVARIANTS)}
        conn.rollback()
        return found

    assert promise in await db.write(look)
    assert await bench.used() == (1, 1, 100, 100)
