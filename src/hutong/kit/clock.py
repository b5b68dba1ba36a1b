"""Time as a collaborator: the only module that asks the operating system what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What code takes instead of calling the system clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC, with microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring spans."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that a test moves by hand, backwards too."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move on."""
        self.step(seconds)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forth or back, as NTP would; the monotonic clock stays."""
        self._now += timedelta(seconds=seconds)


def iso_z(moment: datetime) -> str:
    """`moment` in UTC as ISO 8601 with milliseconds and `Z`, the form of every time in an answer."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"  # without +00:00


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, without passing through a float."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def process_seconds() -> float:
    """CPU seconds that this process has used so far."""
    return time.process_time()
