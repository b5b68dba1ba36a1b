"""The client of one OpenAI-compatible provider: implements `ChatProvider` without any policy.

Source: OpenAI's API reference for chat completions (reference/chat.md §2.1); failures of §4.4.
"""

from collections.abc import Callable
from typing import Any

import orjson

from hutong.kernel.gateway.chat import ChatCall, ProviderAnswer
from hutong.kernel.gateway.errors import (
    AnswerLost,
    ProviderDown,
    ProviderFailed,
    ProviderResting,
    ProviderTooSlow,
)
from hutong.kernel.http.outbound import CircuitOpen, Outbound, OutboundFailed
from hutong.kernel.http.streamed import Streamed
from hutong.kit.clock import Clock
from hutong.providers.openai.chunks import Chunks, NotAChunk, answer_in
from hutong.providers.openai.errors import failure_in, failure_of
from hutong.providers.openai.settings import ProviderSettings
from hutong.providers.openai.stream import OpenAIStream

CHAT_PATH = "/chat/completions"
LARGEST_FAILURE = 64 * 1024
PING_SECONDS = 5.0
OWN = frozenset({"model", "stream", "stream_options", "user", "safety_identifier"})


class OpenAIChat:
    """Chat Completions of one provider.

    Args:
        settings: address, key and time limits.
        base_url: of the provider or the sandbox, mostly ending in `/v1`.
        outbound: the kernel's client.
        clock: reads dates in `Retry-After`.
        digest: what the provider is told instead of a user's id.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        base_url: str,
        outbound: Outbound,
        clock: Clock,
        digest: Callable[[int], str],
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._base = base_url.rstrip("/")
        self._outbound = outbound
        self._clock = clock
        self._digest = digest

    async def complete(self, call: ChatCall, provider_model: str) -> ProviderAnswer:
        body = orjson.dumps({**self._asked(call, provider_model), "stream": False})
        try:
            answer = await self._outbound.request(
                self.name,
                "chat",
                "POST",
                self._base + CHAT_PATH,
                headers=self._headers(call.request_id),
                body=body,
                timeout=self._settings.whole,
            )
        except OutboundFailed as error:
            raise _lost(error) from error
        if answer.status != 200:
            raise failure_of(answer.status, answer.headers, answer.body, self._clock.now())
        return _whole(answer.body, call.model, answer.headers.get("x-request-id", ""))

    async def stream(self, call: ChatCall, provider_model: str) -> OpenAIStream:
        asked = self._asked(call, provider_model)
        wished = call.body.get("stream_options") or {}
        body = orjson.dumps({**asked, "stream": True, "stream_options": {**wished, "include_usage": True}})
        headers = {**self._headers(call.request_id), "Accept": "text/event-stream"}
        limits = self._settings
        begun = self._clock.monotonic()
        try:
            running = await self._outbound.stream(
                self.name,
                "chat_stream",
                "POST",
                self._base + CHAT_PATH,
                headers=headers,
                body=body,
                first=limits.first_token,
                timeout=limits.whole,
            )
            running.expect(max(limits.first_token - (self._clock.monotonic() - begun), 0.001))
            if running.status != 200 or _is_json(running):
                content = await running.rest(LARGEST_FAILURE)
                raise _no_stream(running, content, self._clock)
        except OutboundFailed as error:
            raise _lost(error) from error
        chunks = Chunks(call.model, keep_null_usage=bool(wished.get("include_usage")))
        stream = OpenAIStream(running, chunks, limits.between_tokens)
        await stream.begin()
        return stream

    async def ping(self) -> None:
        """Asks for the list of models, which costs nothing."""
        try:
            answer = await self._outbound.request(
                self.name, "models", "GET", f"{self._base}/models", headers=self._headers(""), timeout=PING_SECONDS
            )
        except OutboundFailed as error:
            raise _lost(error) from error
        if answer.status != 200:
            raise failure_of(answer.status, answer.headers, answer.body, self._clock.now())

    def _asked(self, call: ChatCall, provider_model: str) -> dict[str, Any]:
        kept = {name: value for name, value in call.body.items() if name not in OWN}
        return {**kept, "model": provider_model, "user": self._digest(call.user_id)}

    def _headers(self, request_id: str) -> dict[str, str]:
        key = self._settings.api_key.get_secret_value()
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return {**sent, "X-Request-Id": request_id} if request_id else sent


def _lost(error: OutboundFailed) -> ProviderFailed:
    """What no answer means."""
    if isinstance(error, CircuitOpen):
        return ProviderResting(vendor_code="resting", retry_after=error.retry_after)
    if not error.sent:
        return ProviderDown(vendor_code="unreachable")
    return (
        ProviderTooSlow(vendor_code="silent")
        if isinstance(error.__cause__, TimeoutError)
        else AnswerLost(vendor_code="cut")
    )


def _is_json(running: Streamed) -> bool:
    return running.headers.get("content-type", "").lower().startswith("application/json")


def _no_stream(running: Streamed, content: bytes, clock: Clock) -> ProviderFailed:
    """Why there is no stream; a 200 may hold an error all the same."""
    if running.status != 200:
        return failure_of(running.status, running.headers, content, clock.now())
    return _failure_in_body(content) or ProviderDown(vendor_code="no_stream")


def _failure_in_body(content: bytes) -> ProviderFailed | None:
    try:
        error = orjson.loads(content).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return failure_in(error) if error else None


def _whole(content: bytes, model: str, request_id: str) -> ProviderAnswer:
    """The answer in a 200.

    Raises:
        ProviderFailed: there is none in it.
    """
    if (failure := _failure_in_body(content)) is not None:
        raise failure
    try:
        return answer_in(orjson.loads(content), model, request_id)
    except (orjson.JSONDecodeError, NotAChunk) as error:
        raise ProviderDown(vendor_code="malformed") from error
