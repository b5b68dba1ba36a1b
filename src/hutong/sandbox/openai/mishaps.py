"""What was ordered to go wrong with a call. Runs inside a transaction of the state.

A break says in its `code` after how many deltas it comes ("-": before the status), and after a blank how.
"""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from hutong.sandbox import faults
from hutong.sandbox.openai.refusals import FAILURES, Refusal, retry_after

Way = Literal["stream", "whole"]
BREAKS = ("hang", "cut", "malformed", "error_event", "end_early")
AT_THE_END = 1_000_000


@dataclass(frozen=True, slots=True)
class Break:
    """Where and how an answer breaks off: `after` so many deltas; None: before the status."""

    kind: str
    after: int | None
    how: str


@dataclass(frozen=True, slots=True)
class Orders:
    """The mishaps of one call: a refusal, or more seconds before the first delta and between two, a break, no usage."""

    refusal: Refusal | None = None
    first: float = 0.0
    between: float = 0.0
    broken: Break | None = None
    no_usage: bool = False


def place(after: int | None, how: str = "") -> str:
    """The `code` of a break."""
    return f"{'-' if after is None else after} {how}".strip()


def orders(conn: sqlite3.Connection, way: Way, now_ms: int) -> Orders:
    """The mishaps that this call meets; each is used up by one, and a refused call uses up no other."""
    slow = faults.take(conn, "slow", way, now_ms)
    first = _seconds(slow)
    if (failed := faults.take(conn, "fail", way, now_ms)) is not None:
        return Orders(refusal=FAILURES[failed.code or ""], first=first)
    if (throttled := faults.take(conn, "throttle", way, now_ms)) is not None:
        return Orders(refusal=_throttled(throttled), first=first)
    between = _seconds(faults.take(conn, "pace", way, now_ms))
    no_usage = faults.take(conn, "no_usage", way, now_ms) is not None
    return Orders(None, first, between, _break(conn, way, now_ms), no_usage)


def _seconds(fault: faults.Fault | None) -> float:
    return 0.0 if fault is None else fault.seconds or 0.0


def _throttled(fault: faults.Fault) -> Refusal:
    """429, with the time to wait if one was given, and a word on asking again if that was."""
    told = {} if fault.seconds is None else retry_after(fault.seconds)
    if fault.code:
        told["x-should-retry"] = fault.code
    return Refusal(429, "Rate limit reached for requests.", "requests", code="rate_limit_exceeded", headers=told)


def _break(conn: sqlite3.Connection, way: Way, now_ms: int) -> Break | None:
    for kind in BREAKS:
        if (fault := faults.take(conn, kind, way, now_ms)) is not None:
            after, _, how = (fault.code or "-").partition(" ")
            return Break(kind, None if after == "-" else int(after), how)
    return None
