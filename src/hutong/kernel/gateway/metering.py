"""Accounts for answers: tokens, money, time. What a provider did not count is counted here, and said to be.

Nothing is invented for an answer that broke off: no reason why it ended, no usage of the provider's; only its receipt says
what was generated until then. Source: reference/chat.md §6.2.
"""

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import NamedTuple

import orjson
from prometheus_client import Counter, Histogram

from hutong.kernel.gateway.chat import ChatCall, ChatDelta, ProviderStream, Receipt, Usage
from hutong.kernel.gateway.errors import ProviderFailed
from hutong.kernel.gateway.routing import Route
from hutong.kernel.gateway.tokens import count, count_request
from hutong.kernel.observability import metrics
from hutong.kit.clock import Clock

FOLD = 64 * 1024
"""Characters of generated text that are kept before they are counted, so that no answer is held whole."""


class Tally:
    """What was generated, counted in pieces if it comes to that."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.size = 0
        self._counted = 0

    def add(self, text: str, beside: str) -> None:
        """Note what a delta adds; `fold` when `size` is more than `FOLD`."""
        if text:
            self._parts.append(text)
            self.size += len(text)
        if beside:
            self._parts.append(beside)
            self.size += len(beside)

    async def fold(self) -> int:
        """Count what is kept and let it go; returns the tokens of everything so far."""
        kept, self._parts, self.size = "".join(self._parts), [], 0
        self._counted += await count(kept)
        return self._counted


class _Counters(NamedTuple):
    prompt: Counter
    completion: Counter
    cost: Counter
    first_token: Histogram


@cache
def _counters(provider: str, model: str) -> _Counters:
    """Looking a label up costs more than counting; routes are as many as operators write down."""
    return _Counters(
        metrics.openai_tokens.labels(provider, model, "prompt"),
        metrics.openai_tokens.labels(provider, model, "completion"),
        metrics.openai_cost.labels(provider, model),
        metrics.openai_first_token_seconds.labels(provider, model),
    )


class Meter:
    """Writes receipts for one call on one route.

    Args:
        call, route: what was asked of whom.
        clock: measures.
        begun: when the caller asked, on the clock's monotonic scale.
    """

    def __init__(self, call: ChatCall, route: Route, clock: Clock, begun: float) -> None:
        self._call, self._route, self._clock = call, route, clock
        self._begun = begun
        self._first = clock.monotonic() - begun

    async def usage(self, told: Usage | None, tally: Tally) -> Usage:
        """As the provider told it, or counted here."""
        if told is not None:
            return told
        return Usage(await count_request(self._call.body), await tally.fold(), counted_here=True)

    def receipt(self, usage: Usage, request_id: str, outcome: str) -> Receipt:
        """The receipt, counted in the metrics: call this once."""
        route, cost = self._route, self._route.facts.cost(usage)
        metrics.openai_requests.labels(route.provider, route.model, outcome).inc()
        counters = _counters(route.provider, route.model)
        counters.prompt.inc(usage.prompt)
        counters.completion.inc(usage.completion)
        counters.cost.inc(cost)
        counters.first_token.observe(self._first)
        seconds = self._clock.monotonic() - self._begun
        return Receipt(route.provider, route.model, usage, cost, request_id, self._first, seconds)


class MeteredStream:
    """A stream with a receipt: implements `ChatStream`."""

    def __init__(self, inner: ProviderStream, route: Route, meter: Meter) -> None:
        self.provider = route.provider
        self.provider_model = route.model
        self._inner = inner
        self._meter = meter
        self._tally = Tally()
        self._told: Usage | None = None
        self._last = b""
        self._outcome = "stopped"
        self._closed = False
        self._receipt: Receipt | None = None

    async def __aiter__(self) -> AsyncIterator[ChatDelta]:
        async for deltas in self.batches():
            for delta in deltas:
                yield delta

    async def batches(self) -> AsyncIterator[Sequence[ChatDelta]]:
        tally = self._tally
        try:
            async for deltas in self._inner:
                for delta in deltas:
                    if delta.text or delta.beside:
                        tally.add(delta.text, delta.beside)
                    if delta.usage is not None:
                        self._told = delta.usage
                if deltas:
                    self._last = deltas[-1].raw
                    yield deltas
                if tally.size > FOLD:
                    await tally.fold()
        except ProviderFailed as error:
            self._outcome = error.code
            raise
        if self._closed:
            return
        self._outcome = "ok"
        if self._told is None:
            yield [await self._counted()]

    async def aclose(self) -> None:
        self._closed = True
        await self._inner.aclose()

    async def receipt(self) -> Receipt:
        await self.aclose()
        if self._receipt is None:
            usage = await self._meter.usage(self._told, self._tally)
            self._receipt = self._meter.receipt(usage, self._inner.request_id, self._outcome)
        return self._receipt

    async def _counted(self) -> ChatDelta:
        """The chunk with the usage that the provider left out."""
        usage = self._told = await self._meter.usage(None, self._tally)
        counts = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}
        raw = orjson.dumps({**orjson.loads(self._last), "choices": [], "usage": counts})
        return ChatDelta(raw, usage=usage, usage_only=True)
