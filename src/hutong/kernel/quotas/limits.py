"""Limits, and how much of them is taken: values only.

Source: contracts/chat.md "Rules"; the header names are those that the official SDKs of OpenAI read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, cast

CounterName = Literal["daily_requests", "monthly_requests", "daily_tokens", "monthly_tokens"]
COUNTERS: tuple[CounterName, ...] = ("daily_requests", "monthly_requests", "daily_tokens", "monthly_tokens")
UNLIMITED = 2**62
"""More than anybody uses, and with room above it in 64 bits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may use. Nought allows nothing, None everything.

    Args:
        daily_requests, monthly_requests: requests in a UTC day and month.
        daily_tokens, monthly_tokens: tokens in them.
    """

    daily_requests: int | None
    monthly_requests: int | None
    daily_tokens: int | None
    monthly_tokens: int | None

    def times(self, factor: int) -> "Limits":
        """Each limit `factor` times as large, as those of a VIP are; what is unlimited stays so."""
        return Limits(*(None if limit is None else limit * factor for limit in self.all()))

    def with_own(self, own: Mapping[str, int | None]) -> "Limits":
        """These limits, and where a user has one of their own (by the counter's name, not None), that one."""
        return Limits(*(mine if (mine := own.get(name)) is not None else self.of(name) for name in COUNTERS))

    def of(self, counter: CounterName) -> int | None:
        """The limit of one counter."""
        return cast("int | None", getattr(self, counter))

    def all(self) -> tuple[int | None, ...]:
        """The limits in the order of `COUNTERS`."""
        return self.daily_requests, self.monthly_requests, self.daily_tokens, self.monthly_tokens


@dataclass(frozen=True, slots=True)
class Windows:
    """The day and the month of a moment, in UTC.

    Args:
        day: ISO date.
        month: ISO date of its first day.
        day_ends, month_ends: when the next ones begin.
    """

    day: str
    month: str
    day_ends: datetime
    month_ends: datetime

    def ends(self, counter: CounterName) -> datetime:
        """When a counter begins anew."""
        return self.day_ends if counter.startswith("daily") else self.month_ends


@lru_cache(maxsize=8)
def windows_of(day: date) -> Windows:
    """The windows of a UTC day."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Windows(day.isoformat(), first.isoformat(), _begin(day + timedelta(days=1)), _begin(following))


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CounterUse:
    """One counter.

    Args:
        limit: None is unlimited.
        used: for good; from `reserve`, with what is reserved.
        reserved: by what still runs.
        resets_at: when it begins anew.
    """

    limit: int | None
    used: int
    reserved: int
    resets_at: datetime

    @property
    def remaining(self) -> int | None:
        """What may still be reserved; None is unlimited."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """The four counters of one user at one moment."""

    daily_requests: CounterUse
    monthly_requests: CounterUse
    daily_tokens: CounterUse
    monthly_tokens: CounterUse

    @property
    def requests(self) -> CounterUse:
        """The one of day and month that has less left."""
        return _tighter(self.daily_requests, self.monthly_requests)

    @property
    def tokens(self) -> CounterUse:
        """The one of day and month that has less left."""
        return _tighter(self.daily_tokens, self.monthly_tokens)

    def headers(self, now: datetime) -> dict[str, str]:
        """`x-ratelimit-limit|remaining|reset-requests|tokens`, of the tighter windows; none for what is unlimited."""
        found: dict[str, str] = {}
        for kind, counter in (("requests", self.requests), ("tokens", self.tokens)):
            if counter.limit is not None:
                found[f"x-ratelimit-limit-{kind}"] = str(counter.limit)
                found[f"x-ratelimit-remaining-{kind}"] = str(counter.remaining)
                found[f"x-ratelimit-reset-{kind}"] = _duration(counter.resets_at - now)
        return found


def _tighter(day: CounterUse, month: CounterUse) -> CounterUse:
    left = month.remaining
    return month if left is not None and (day.remaining is None or left < day.remaining) else day


def _duration(span: timedelta) -> str:
    """As OpenAI writes it: `6m0s`, `13h5m2s`."""
    seconds = max(0, -int(-span.total_seconds() // 1))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if seconds >= 60 else "") + f"{seconds % 60}s"
