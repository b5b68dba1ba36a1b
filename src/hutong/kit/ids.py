"""64-bit Snowflake ids: 1 sign bit, 41 bits of milliseconds since 2025-01-01, 10 of machine, 12 of sequence.

Source: contracts/emoji.md "Conventions"; seed 004 §2.1. Ids are ordered in time and guessable: owning one is never proof
of a right.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hutong.kit.errors import Unavailable

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
EPOCH_MS = int(EPOCH.timestamp() * 1000)
MACHINES = 1 << 10
SEQUENCES = 1 << 12
MAX_DRIFT_MS = 5_000
MAX_ID = (1 << 63) - 1


class ClockMovedBack(Unavailable):
    """The clock ran back further than ids can bridge."""

    code = "ids.clock_moved_back"


class Snowflake:
    """Makes ids for one machine number; safe to call from any thread.

    When the clock steps back, ids go on from the last millisecond used (a logical clock), so that none is ever made
    twice; past `MAX_DRIFT_MS` it refuses.

    Args:
        machine: 0..1023, leased so that no two live processes share it.
        now_ms: milliseconds since 1970.
        last_ms: the newest millisecond that an earlier holder of this machine number may have used.
    """

    def __init__(self, machine: int, now_ms: Callable[[], int], last_ms: int = 0) -> None:
        if not 0 <= machine < MACHINES:
            raise ValueError(f"machine number {machine} is outside 0..{MACHINES - 1}")
        self._machine = machine << 12
        self._now_ms = now_ms
        self._last_ms = last_ms
        self._sequence = SEQUENCES - 1 if last_ms else -1
        self._lock = threading.Lock()

    @property
    def last_ms(self) -> int:
        """The newest millisecond (since 1970) that an id was made in."""
        return self._last_ms

    def __call__(self) -> int:
        """One new id.

        Raises:
            ClockMovedBack: the clock is more than `MAX_DRIFT_MS` behind the last id.
        """
        with self._lock:
            now = self._now_ms()
            if now > self._last_ms:
                self._last_ms, self._sequence = now, 0
            else:
                self._next_in_the_past(now)
            return (self._last_ms - EPOCH_MS) << 22 | self._machine | self._sequence

    def _next_in_the_past(self, now: int) -> None:
        """Count on inside the last millisecond; when it is full, borrow the next one."""
        if self._sequence + 1 < SEQUENCES:
            self._sequence += 1
        else:
            self._last_ms, self._sequence = self._last_ms + 1, 0
        if self._last_ms - now > MAX_DRIFT_MS:
            raise ClockMovedBack(retry_after=(self._last_ms - now) / 1000)


def created_at(snowflake: int) -> datetime:
    """The moment that is written in an id."""
    return EPOCH + timedelta(milliseconds=snowflake >> 22)


def first_id_of(moment: datetime) -> int:
    """The smallest id that can be made at `moment` or later."""
    return max(0, (moment - EPOCH) // timedelta(milliseconds=1)) << 22


def parse_id(text: str) -> int | None:
    """The id that `text` spells, or None: decimal digits only, no sign, no leading zero, at most 2^63-1."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or (text[0] == "0"):
        return None
    value = int(text)
    return value if value <= MAX_ID else None
