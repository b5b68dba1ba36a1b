"""Asking one provider again, as long as nobody has seen a token.

Back-off with full jitter (a random share of a doubling time), so that callers who failed together do not come back together.
What the provider says of waiting counts more. Source: reference/chat.md §2.1 (what official clients retry).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from hutong.kernel.gateway.chat import ChatCall, ChatProvider, ProviderAnswer, ProviderStream
from hutong.kernel.gateway.errors import (
    AnswerLost,
    ProviderBusy,
    ProviderDown,
    ProviderFailed,
    ProviderResting,
    ProviderThrottled,
    ProviderTooSlow,
)
from hutong.kernel.observability import metrics

T = TypeVar("T")
AGAIN = (ProviderThrottled, ProviderDown, AnswerLost)
NOT_AGAIN = (ProviderResting, ProviderBusy, ProviderTooSlow)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long.

    Args:
        tries: in all, the first one included.
        pause: seconds of the first back-off, doubled each time.
        longest_pause: seconds of any; a provider that asks for more is not asked again.
    """

    tries: int = 3
    pause: float = 0.5
    longest_pause: float = 8.0


class Retrying:
    """A provider that is asked again after a failure that may pass."""

    def __init__(self, inner: ChatProvider, patience: Patience) -> None:
        self._inner = inner
        self._patience = patience

    @property
    def name(self) -> str:
        return self._inner.name

    async def complete(self, call: ChatCall, provider_model: str) -> ProviderAnswer:
        return await self._ask(lambda: self._inner.complete(call, provider_model), provider_model)

    async def stream(self, call: ChatCall, provider_model: str) -> ProviderStream:
        return await self._ask(lambda: self._inner.stream(call, provider_model), provider_model)

    async def ping(self) -> None:
        await self._inner.ping()

    async def _ask(self, ask: Callable[[], Awaitable[T]], provider_model: str) -> T:
        for tried in range(1, self._patience.tries):
            try:
                return await ask()
            except ProviderFailed as error:
                pause = self._pause(error, tried)
                if pause is None:
                    raise
                metrics.openai_retries.labels(self.name, provider_model, error.code).inc()
            await asyncio.sleep(pause)
        return await ask()

    def _pause(self, error: ProviderFailed, tried: int) -> float | None:
        """Seconds until the next try; None: there is none."""
        if not isinstance(error, AGAIN) or isinstance(error, NOT_AGAIN) or not error.may_retry:
            return None
        backed_off = random.uniform(0, min(self._patience.longest_pause, self._patience.pause * 2 ** (tried - 1)))
        if error.retry_after is None:
            return backed_off
        asked = error.retry_after
        return None if asked > self._patience.longest_pause else asked + min(backed_off, asked / 4)
