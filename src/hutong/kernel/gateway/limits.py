"""How much one provider is given: calls at once with a bounded wait, and nothing for a model that asked us to wait.

Counted in each process: what a provider bears is its setting divided by the processes. Why not in SQL as for videos: a slot
there costs two transactions, for work that lasts seconds and that the provider refuses by itself when it is too much.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from hutong.kernel.gateway.chat import ChatCall, ChatDelta, ChatProvider, ProviderAnswer, ProviderStream
from hutong.kernel.gateway.errors import ProviderBusy, ProviderThrottled
from hutong.kernel.observability import metrics
from hutong.kit.clock import Clock


class Limited:
    """A provider that takes so many calls at once.

    Args:
        inner: the provider.
        concurrency: calls at once.
        longest_wait: seconds that a call may wait for its turn, or for a pause that the provider asked for.
        clock: measures pauses.
    """

    def __init__(self, inner: ChatProvider, concurrency: int, longest_wait: float, clock: Clock) -> None:
        self._inner = inner
        self._longest = longest_wait
        self._clock = clock
        self._places = asyncio.Semaphore(concurrency)
        self._paused: dict[str, float] = {}
        self._running = metrics.openai_in_flight.labels(inner.name)

    @property
    def name(self) -> str:
        return self._inner.name

    async def complete(self, call: ChatCall, provider_model: str) -> ProviderAnswer:
        """As the inner one's. Raises `ProviderBusy` when there is no place in time."""
        await self._enter(provider_model)
        try:
            return await self._inner.complete(call, provider_model)
        except ProviderThrottled as error:
            self._pause(provider_model, error)
            raise
        finally:
            self._leave()

    async def stream(self, call: ChatCall, provider_model: str) -> ProviderStream:
        """As the inner one's, its place held until the stream ends or is closed. Raises `ProviderBusy` too."""
        await self._enter(provider_model)
        try:
            inner = await self._inner.stream(call, provider_model)
        except BaseException as error:
            self._leave()
            if isinstance(error, ProviderThrottled):
                self._pause(provider_model, error)
            raise
        return _Held(inner, self)

    async def ping(self) -> None:
        await self._inner.ping()

    async def _enter(self, provider_model: str) -> None:
        wait = self._paused.get(provider_model, 0.0) - self._clock.monotonic()
        if wait > self._longest:
            raise ProviderBusy(vendor_code="paused", retry_after=wait)
        if wait > 0:
            await asyncio.sleep(wait)
        if self._places.locked():
            await self._queue()
        else:
            await self._places.acquire()
        self._running.inc()

    async def _queue(self) -> None:
        try:
            async with asyncio.timeout(self._longest):
                await self._places.acquire()
        except TimeoutError as error:
            raise ProviderBusy(vendor_code="no_place", retry_after=self._longest) from error

    def _leave(self) -> None:
        self._places.release()
        self._running.dec()

    def _pause(self, provider_model: str, error: ProviderThrottled) -> None:
        """Let the others of this process wait too: asking on would only be refused."""
        if error.retry_after:
            until = self._clock.monotonic() + error.retry_after
            self._paused[provider_model] = max(until, self._paused.get(provider_model, 0.0))


class _Held:
    """A stream that gives its place back once."""

    def __init__(self, inner: ProviderStream, limited: Limited) -> None:
        self._inner = inner
        self._limited: Limited | None = limited
        self.request_id = inner.request_id

    async def __aiter__(self) -> AsyncIterator[Sequence[ChatDelta]]:
        try:
            async for deltas in self._inner:
                yield deltas
        finally:
            self._free()

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._free()

    def _free(self) -> None:
        limited, self._limited = self._limited, None
        if limited is not None:
            limited._leave()  # noqa: SLF001 - its other half
