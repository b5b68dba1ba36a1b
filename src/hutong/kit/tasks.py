"""Ending asyncio tasks for certain.

One `cancel` is not enough: before Python 3.12 `asyncio.wait_for` returns its result and forgets a cancellation that
arrives in the same turn of the loop (python/cpython#86296), and libraries call it where one does not see it.
"""

import asyncio
from typing import Any

AGAIN_SECONDS = 1.0


async def end(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel tasks, again and again until each has ended; their exceptions are dropped. `None` is let through."""
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=AGAIN_SECONDS)
        for task in ended:
            if not task.cancelled():
                task.exception()  # seen, so that asyncio does not complain that nobody looked
