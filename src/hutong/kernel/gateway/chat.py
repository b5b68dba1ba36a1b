"""What apps ask of chat models: one answer, whole or as a stream, in the words of OpenAI's Chat Completions.

That wire format is the common tongue of today's providers, so requests and answers pass through unchanged (tools, vision parts,
`response_format`, `n`, `stop`, log probabilities); the gateway reads only what it must to route, meter and retry.
Source: reference/chat.md §2.1, §6; contracts/chat.md.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counted them, or as we did when it said nothing.

    Args:
        prompt, completion: tokens.
        counted_here: whether the numbers are ours and not the provider's.
    """

    prompt: int
    completion: int
    counted_here: bool = False

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class ChatCall:
    """One request for an answer.

    Args:
        model: the name that the caller used; routing decides which provider and which of its models that is.
        body: the request of Chat Completions, JSON-ready and checked; `model`, `stream` and `stream_options` are set by the
            gateway.
        user_id: whom it is for; providers get a keyed digest of it, never the id.
        request_id: ours, for the log.
    """

    model: str
    body: Mapping[str, Any]
    user_id: int
    request_id: str


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer.

    Args:
        body: the provider's JSON, with `model` as the caller named it.
        usage: what it cost.
        provider, provider_model: who gave it.
        finish_reason: of the first choice; None if the provider gave none.
    """

    body: bytes
    usage: Usage
    provider: str
    provider_model: str
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """One event of a stream.

    Args:
        raw: the JSON of the chunk as it goes to a caller of our own compatible endpoint; no `data: ` around it.
        text: what it adds to the first choice's text; empty for role, tool and finish events.
        finish_reason: of the first choice, in the chunk that has it.
        usage: in the chunk that has it.
    """

    raw: bytes
    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


class ChatStream(Protocol):
    """A stream that has begun: its first token is there. Closing it early ends the call at the provider."""

    provider: str
    provider_model: str

    def __aiter__(self) -> AsyncIterator[ChatDelta]:
        """The deltas, the first one included.

        Raises:
            ChatInterrupted: the provider cut it, erred or fell silent; what came until then stands.
        """
        ...

    async def aclose(self) -> None:
        """Stop reading and let the provider go."""
        ...


class ChatProvider(Protocol):
    """One provider under one account. No policy: no retry, no fallback."""

    @property
    def name(self) -> str:
        """As in the routes and in records: `openai`, `qwen`, `local`."""
        ...

    async def complete(self, call: ChatCall, provider_model: str) -> ChatAnswer:
        """A whole answer.

        Raises:
            ProviderThrottled, ProviderDown, AnswerLost, ProviderRejected, ProviderBlocked: see gateway.errors.
        """
        ...

    async def stream(self, call: ChatCall, provider_model: str) -> ChatStream:
        """A stream, once its first event is there. Raises as `complete` does until then."""
        ...

    async def ping(self) -> None:
        """Whether the provider answers."""
        ...
