"""Quotas against a model that has no counters: any sequence of calls, midnights included, leaves what the reservations say."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.observability.invariants import check
from hutong.kernel.quotas import COUNTERS, INVARIANTS, Limits, QuickQuotas, QuotaExhausted, Quotas, QuotaUse
from hutong.kit.clock import ManualClock

START = datetime(2026, 11, 28, 20, tzinfo=UTC)
"""Two days before a month's end."""
UNLIMITED = Limits(None, None, None, None)
REFUNDS = 2
HOUR = 3600
TOKENS = st.integers(0, 50)
BOUNDS = st.builds(
    Limits,
    st.one_of(st.none(), st.integers(0, 6)),
    st.one_of(st.none(), st.integers(0, 10)),
    st.one_of(st.none(), st.integers(0, 150)),
    st.one_of(st.none(), st.integers(0, 250)),
)
WHICH = st.integers(0, 50)
REPEATS = st.integers(1, 3)


@dataclass
class Reserved:
    """A reservation as it should be."""

    id: int
    user: int
    day: str
    tokens: int
    state: str = "open"
    request_came_back: bool = False
    lapsed: bool = False

    def counts(self) -> int:
        """Requests that it has taken."""
        return 0 if self.request_came_back else 1


@dataclass
class User:
    """What is known of a user beside the reservations."""

    id: int
    row_day: str = ""
    refunds: int = 0


@dataclass
class World:
    """One database for all examples, each with users of its own."""

    runner: asyncio.Runner
    db: Database
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def write(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.run(self.db.write, work, *args, **kwargs)

    def read(self, work: Callable[..., Any], *args: Any) -> Any:
        return self.run(self.db.read, work, *args)

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What it returned; None if a quota refused."""

        async def awaited() -> Any:
            return await work(*args, **kwargs)

        try:
            return self.runner.run(awaited())
        except QuotaExhausted:
            return None


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """In a loop of its own, for hypothesis calls its rules without one."""
    with asyncio.Runner() as runner:
        made = World(runner, open_database(load_settings(env="test", database_url=database_url)))
        yield made
        made.run(made.db.close)


class QuotaMachine(RuleBasedStateMachine):
    """Two users, and two machines whose clocks are a day apart."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.clock, self.late_clock = ManualClock(START), ManualClock(START)
        self.late_clock.step(-24 * HOUR)
        self.quotas = Quotas("chat", self.clock, REFUNDS)
        self.behind = Quotas("chat", self.late_clock, REFUNDS)
        self.users = [User(world.ids()), User(world.ids())]
        self.reserved: list[Reserved] = []

    @rule(second=st.booleans(), tokens=TOKENS, limits=BOUNDS, late=st.booleans(), quickly=st.booleans())
    def reserve(self, second: bool, tokens: int, limits: Limits, late: bool, quickly: bool) -> None:
        user, number = self.users[second], self.world.ids()
        clock, quotas = (self.late_clock, self.behind) if late else (self.clock, self.quotas)
        day = max(clock.now().date().isoformat(), user.row_day)
        taken = self._counters(user, day)
        after = [
            taken[0] + 1,
            taken[1] + 1,
            taken[2] + tokens,
            taken[3] + tokens,
        ]
        fits = all(limit is None or value <= limit for limit, value in zip(limits.all(), after, strict=True))
        words = {"reservation_id": number, "user_id": user.id, "limits": limits, "tokens": tokens}
        words |= {"seconds": 600.0, "owner": f"reply:{number}"}
        if quickly:
            got = self.world.run(QuickQuotas(quotas, self.world.db).reserve, **words)
        else:
            got = self.world.write(quotas.reserve, **words)
        assert (got is not None) == fits
        if fits:
            assert [getattr(got, name).used for name in COUNTERS] == after
            if day > user.row_day:
                user.row_day, user.refunds = day, 0
            self.reserved.append(Reserved(number, user.id, day, tokens))

    @precondition(lambda self: self.reserved)
    @rule(which=WHICH, tokens=TOKENS, times=REPEATS, quickly=st.booleans())
    def settle(self, which: int, tokens: int, times: int, quickly: bool) -> None:
        one = self.reserved[which % len(self.reserved)]
        for _ in range(times):
            if quickly:
                got = self.world.run(QuickQuotas(self.quotas, self.world.db).settle, one.id, tokens)
            else:
                got = self.world.write(self.quotas.settle, one.id, tokens)
            assert got is (one.state == "open")
            if got:
                one.state, one.tokens = "settled", tokens

    @precondition(lambda self: self.reserved)
    @rule(which=WHICH, times=REPEATS)
    def release(self, which: int, times: int) -> None:
        one = self.reserved[which % len(self.reserved)]
        user = next(user for user in self.users if user.id == one.user)
        for _ in range(times):
            got = self.world.write(self.quotas.release, one.id)
            assert got is (one.state == "open")
            if got:
                one.state, one.tokens = "released", 0
                if user.refunds < REFUNDS and one.day[:7] == user.row_day[:7]:
                    one.request_came_back, user.refunds = True, user.refunds + 1

    @precondition(lambda self: self.reserved)
    @rule(which=WHICH)
    def lapse(self, which: int) -> None:
        """Its owner died long ago."""
        one = self.reserved[which % len(self.reserved)]
        self.world.write(self.quotas.extend, [one.id], -1.0)
        one.lapsed = True

    @precondition(lambda self: self.reserved)
    @rule(which=WHICH)
    def extend(self, which: int) -> None:
        one = self.reserved[which % len(self.reserved)]
        self.world.write(self.quotas.extend, [one.id], 600.0)
        one.lapsed = False

    @rule(saved=TOKENS)
    def sweep(self, saved: int) -> None:
        """Exactly the open ones whose time is over; a second sweep that saw the same list changes nothing."""
        late = self.world.read(self.quotas.expired)
        due = {one.id: one for one in self.reserved if one.state == "open" and one.lapsed}
        assert sorted(found.id for found in late) == sorted(due)
        for found in late:
            assert self.world.write(self.quotas.settle, found.id, saved) is True
            assert self.world.write(self.quotas.settle, found.id, saved) is False
            due[found.id].state, due[found.id].tokens = "settled", saved

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        for clock in (self.clock, self.late_clock):
            clock.advance(hours * HOUR)

    @invariant()
    def the_counters_are_what_the_reservations_say(self) -> None:
        assert self.world.read(check, INVARIANTS) == []
        for user in self.users:
            use: QuotaUse = self.world.read(self.quotas.usage, user.id, UNLIMITED)
            counters = [getattr(use, name) for name in COUNTERS]
            day = max(self.clock.now().date().isoformat(), user.row_day)
            assert [one.used + one.reserved for one in counters] == self._counters(user, day)
            running = [one for one in self._of(user) if one.state == "open"]
            assert [one.reserved for one in counters] == self._sums(running, day)

    def teardown(self) -> None:
        """Leave no open reservation to the next example, whose sweeps would find it."""
        for one in self.reserved:
            self.world.write(self.quotas.release, one.id)

    def _of(self, user: User) -> list[Reserved]:
        return [one for one in self.reserved if one.user == user.id]

    def _counters(self, user: User, day: str) -> list[int]:
        return self._sums(self._of(user), day)

    @staticmethod
    def _sums(some: list[Reserved], day: str) -> list[int]:
        """What these amount to, in the day and its month."""
        today, month = [one for one in some if one.day == day], [one for one in some if one.day[:7] == day[:7]]
        requests = [sum(one.counts() for one in part) for part in (today, month)]
        return [*requests, *(sum(one.tokens for one in part) for part in (today, month))]


def test_any_sequence_of_calls_leaves_what_the_reservations_say(world: World) -> None:
    """With repeated calls, limits that change, sweeps, midnights, a month's end, and a machine whose clock is behind."""
    run_state_machine_as_test(cast("type[QuotaMachine]", partial(QuotaMachine, world)))
