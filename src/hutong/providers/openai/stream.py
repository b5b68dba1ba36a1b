"""A stream of Chat Completions, from its bytes to deltas, and whether it is whole.

It is whole when the provider said `[DONE]`, or when every choice that began has said why it ended. Anything else is an
interruption, however cleanly the connection was closed. Source: reference/chat.md §2.1, §2.3, §4.4.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hutong.kernel.gateway.chat import ChatDelta
from hutong.kernel.gateway.errors import AnswerLost, ChatInterrupted, ProviderDown, ProviderFailed, ProviderTooSlow
from hutong.kernel.http.outbound import OutboundFailed
from hutong.kernel.http.streamed import Streamed
from hutong.providers.openai.chunks import Chunks, NotAChunk
from hutong.providers.openai.errors import failure_in
from hutong.providers.openai.events import EventReader, EventTooLarge

DONE = b"[DONE]"
LAST_BYTES_SECONDS = 0.2


class OpenAIStream:
    """A stream whose first token is there.

    Args:
        running: the answer.
        chunks: understands its events.
        between: seconds that it may be silent.
    """

    def __init__(self, running: Streamed, chunks: Chunks, between: float) -> None:
        self.request_id = running.headers.get("x-request-id", "")
        self._running = running
        self._chunks = chunks
        self._between = between
        self._events = EventReader()
        self._first: list[ChatDelta] = []
        self._broken: ChatInterrupted | None = None
        self._ended = False
        self._done = False

    async def begin(self) -> None:
        """Read up to the first token, in the time that `expect` was given.

        Raises:
            ProviderFailed: it failed before that; nothing was generated that anybody saw.
        """
        try:
            while not self._done and not any(map(_says_something, self._first)):
                self._first += await self._next()
        except ChatInterrupted as error:
            raise _before_the_first(self._chunks.error, error) from error
        except BaseException:
            await self._running.aclose()
            raise
        if not any(map(_says_something, self._first)):
            await self._running.aclose()
            raise ProviderDown(vendor_code="empty")
        self._running.relax()

    async def __aiter__(self) -> AsyncIterator[Sequence[ChatDelta]]:
        deltas = self._first
        try:
            while True:
                yield deltas
                if self._done:
                    await self._let_go()
                    return
                self._running.expect(self._between)
                deltas = await self._next()
                self._running.relax()
        finally:
            await self._running.aclose()

    async def aclose(self) -> None:
        self._done = True  # whoever reads meanwhile has come to the end
        await self._running.aclose()

    async def _let_go(self) -> None:
        """Wait a moment for the end of the body, so that the connection can be used again."""
        if self._running.at_end:
            return
        self._running.expect(LAST_BYTES_SECONDS)
        try:
            while await self._running.read():
                pass
        except OutboundFailed:
            return  # the provider keeps it open, or broke it; the answer is whole

    async def _next(self) -> list[ChatDelta]:
        """The deltas of the next events; at least one unless the stream has ended.

        Raises:
            ChatInterrupted: it was cut, erred, fell silent or made no sense; all that came before was given.
        """
        while not self._done:
            if self._broken is not None:
                await self._running.aclose()
                raise self._broken
            if deltas := self._deltas(await self._events_of_a_read()):
                return deltas
        return []

    async def _events_of_a_read(self) -> list[bytes]:
        try:
            chunk = await self._running.read()
            if chunk:
                return self._events.feed(chunk)
            self._ended = True
            return self._events.end()
        except (OutboundFailed, EventTooLarge) as error:
            self._ended = True
            self._broken = _broken(_reason(error), error)
            return []

    def _deltas(self, events: list[bytes]) -> list[ChatDelta]:
        """Up to the end, or to what breaks the stream off, which is told when the next ones are asked for."""
        found: list[ChatDelta] = []
        for data in events:
            if data == DONE:
                self._done = True
                return found
            try:
                delta = self._chunks.delta(data)
            except NotAChunk as error:
                self._broken = _broken("malformed", error)
                return found
            if delta is None:
                self._broken = _broken(failure_in(self._chunks.error).vendor_code or "error_event")
                return found
            found.append(delta)
        if self._ended and self._chunks.whole:
            self._done = True  # without a [DONE], or cut after the last word: nothing is missing
        elif self._ended and self._broken is None:
            self._broken = _broken("ended_early")
        return found


def _says_something(delta: ChatDelta) -> bool:
    return bool(delta.text or delta.beside or delta.finish_reason)


def _broken(reason: str, cause: Exception | None = None) -> ChatInterrupted:
    made = ChatInterrupted(vendor_code=reason)
    made.__cause__ = cause
    return made


def _reason(error: Exception) -> str:
    if isinstance(error, EventTooLarge):
        return "event_too_large"
    return "silent" if isinstance(error.__cause__, TimeoutError) else "cut"


def _before_the_first(error: Any, found: ChatInterrupted) -> ProviderFailed:
    """What an interruption is as long as nobody has seen anything."""
    if error is not None:
        return failure_in(error)
    kinds = {"silent": ProviderTooSlow, "cut": AnswerLost, "ended_early": AnswerLost}
    return kinds.get(found.vendor_code, ProviderDown)(vendor_code=found.vendor_code)
