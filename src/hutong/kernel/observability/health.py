"""The registry of everything this process depends on, each with a ping, so that no health page can forget one.

Source: DESIGN §2.10 and §2.17; contracts/emoji.md "Operations" (`GET /health`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from hutong.kernel.observability.logs import logger

Ping = Callable[[], Awaitable[None]]
PING_TIMEOUT = 2.0
CACHE_SECONDS = 1.0
_log = logger("observability.health")


@dataclass(frozen=True, slots=True)
class Component:
    """How one dependency does. `latency_ms` is None when it is down."""

    name: str
    status: Literal["up", "down"]
    required: bool
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """All components at one moment."""

    components: tuple[Component, ...]

    @property
    def ready(self) -> bool:
        """Whether every required component is up."""
        return all(part.status == "up" for part in self.components if part.required)


@dataclass(slots=True)
class HealthRegistry:
    """What this process depends on. Answers are cached for a second so that probes cannot hammer a database."""

    _pings: dict[str, tuple[Ping, bool]] = field(default_factory=dict)
    _cached: tuple[float, Health] | None = None
    draining: bool = False

    def register(self, name: str, ping: Ping, *, required: bool = True) -> None:
        """Add a dependency. `ping` returns when it is well and raises when not."""
        self._pings[name] = (ping, required)

    async def check(self) -> Health:
        """Ping everything at once, each for at most two seconds."""
        now = time.monotonic()
        if self._cached and now - self._cached[0] < CACHE_SECONDS:
            return self._cached[1]
        parts = await asyncio.gather(*(self._ping(name, *entry) for name, entry in self._pings.items()))
        health = Health(tuple(parts))
        self._cached = (now, health)
        return health

    @staticmethod
    async def _ping(name: str, ping: Ping, required: bool) -> Component:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(PING_TIMEOUT):
                await ping()
        except Exception as error:
            _log.warning("component is down", component=name, error=repr(error))
            return Component(name, "down", required, None)
        return Component(name, "up", required, round((time.perf_counter() - start) * 1000, 2))
