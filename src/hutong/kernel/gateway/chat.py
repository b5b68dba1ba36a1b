"""What apps ask of chat models: one answer, whole or as a stream, in the words of OpenAI's Chat Completions.

That wire format is the common tongue of today's providers, so requests and answers pass through unchanged (tools, vision parts,
`response_format`, `n`, `stop`, log probabilities); the gateway reads only what it must to route, meter and retry.
Source: reference/chat.md §2.1, §6; contracts/chat.md.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counted them, or as we did when it said nothing.

    Args:
        prompt, completion: tokens.
        counted_here: whether the numbers are ours and not the provider's.
        cached: those of `prompt` that the provider had read before, and bills for less.
    """

    prompt: int
    completion: int
    counted_here: bool = False
    cached: int = 0

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
class Receipt:
    """What one answer took.

    Args:
        provider, provider_model: who gave it.
        usage: tokens.
        cost: micro-units of the currency of `models.yaml`, rounded up.
        provider_request_id: the provider's name for the call, for its support; empty where it gave none.
        first_token: seconds until something was there, retries and fallbacks included; of a whole answer, until all was.
        seconds: the whole of it.
    """

    provider: str
    provider_model: str
    usage: Usage
    cost: int
    provider_request_id: str
    first_token: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A whole answer as a provider gave it.

    Args:
        body: its JSON, with `model` as the caller named it.
        usage: what it says that it counted; None where it says nothing, which is not nought.
        text: everything that was generated, for counting.
        finish_reason: of the first choice; None if the provider gave none.
        request_id: the provider's name for the call.
    """

    body: bytes
    usage: Usage | None
    text: str
    finish_reason: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer, accounted for. `body` and `finish_reason` as in `ProviderAnswer`."""

    body: bytes
    finish_reason: str | None
    receipt: Receipt

    @property
    def usage(self) -> Usage:
        return self.receipt.usage


class ChatDelta(NamedTuple):
    """One event of a stream. A tuple, because there are fifty to an answer, and a frozen data class costs thrice as much.

    Args:
        raw: the JSON of the chunk as it goes to a caller of our own compatible endpoint; no `data: ` around it.
        text: what it adds to the first choice's text; empty for role, tool and finish events.
        beside: what else it adds that was generated and is billed: reasoning, arguments of tools, other choices' texts.
        finish_reason: of the first choice, in the chunk that has it.
        usage: in the chunk that has it.
        usage_only: the chunk tells the usage and nothing else. The gateway always asks for one; it goes on to the caller only
            if that asked for it too (`stream_options.include_usage`).
    """

    raw: bytes
    text: str = ""
    beside: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    usage_only: bool = False


class ProviderStream(Protocol):
    """A provider's stream that has begun: its first token is there."""

    @property
    def request_id(self) -> str:
        """The provider's name for the call; empty where it gave none."""
        ...

    def __aiter__(self) -> AsyncIterator[Sequence[ChatDelta]]:
        """The deltas as they come, all that are there at once; the first one included; once.

        Raises:
            ChatInterrupted: the provider cut it, erred or fell silent; what came until then stands.
        """
        ...

    async def aclose(self) -> None:
        """Stop reading and let the provider go; it ends the generation when it sees that."""
        ...


class ChatStream(Protocol):
    """A stream that has begun, accounted for. Close it: it holds a place at the provider."""

    provider: str
    provider_model: str

    def __aiter__(self) -> AsyncIterator[ChatDelta]:
        """The deltas, the first one included; once. Before a clean end there is one with the usage, the provider's or ours.

        Raises:
            ChatInterrupted: the provider cut it, erred or fell silent; what came until then stands.
        """
        ...

    def batches(self) -> AsyncIterator[Sequence[ChatDelta]]:
        """The same, all that are there at once; either this or the deltas one by one."""
        ...

    async def aclose(self) -> None:
        """Stop reading and let the provider go."""
        ...

    async def receipt(self) -> Receipt:
        """What it took, up to where it came: also of a stream that was stopped or interrupted. Closes it."""
        ...


class ChatProvider(Protocol):
    """One provider under one account. No policy: no retry, no fallback."""

    @property
    def name(self) -> str:
        """As in the routes and in records: `openai`, `qwen`, `local`."""
        ...

    async def complete(self, call: ChatCall, provider_model: str) -> ProviderAnswer:
        """A whole answer.

        Raises:
            ProviderFailed: one of its subclasses, see gateway.errors.
        """
        ...

    async def stream(self, call: ChatCall, provider_model: str) -> ProviderStream:
        """A stream, once its first token is there. Raises as `complete` does until then."""
        ...

    async def ping(self) -> None:
        """Whether the provider answers and takes the key; raises as `complete` does."""
        ...
