"""Waiting for something to become true, with a deadline instead of a guessed sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlinePassed(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(check: Callable[[], T], seconds: float = 10.0, *, every: float = 0.005, what: str = "") -> T:
    """Call `check` until it returns something true and return that; raise `DeadlinePassed` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() >= end:
            raise DeadlinePassed(f"not within {seconds:g} s: {what or check}")
        time.sleep(every)


async def until(check: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """Ask `check` until it answers something true, and return that."""
    end = time.monotonic() + seconds
    while not (found := await check()):
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found
