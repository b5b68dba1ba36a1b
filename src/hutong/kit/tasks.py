"""Ending asyncio tasks for certain, and sharing them.

One `cancel` is not enough: before Python 3.12 `asyncio.wait_for` returns its result and forgets a cancellation that
arrives in the same turn of the loop (python/cpython#86296), and libraries call it where one does not see it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
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


class Shared(Generic[K, T]):
    """Work that several callers want at the same time is done once in this process, and all get its result.

    A caller that is cancelled leaves the others their result. Nothing is kept: who comes later has it done again.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[T]] = {}

    async def do(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work()`, or of the one that runs for the same `key`; raises what it raises."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(work())
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return await asyncio.shield(task)

    def _ended(self, key: K, task: "asyncio.Task[T]") -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # seen, even if every caller has gone
