"""The client of OpenAI-compatible providers against a vendor that follows scripts."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from hutong.kernel.gateway.chat import ChatCall, ChatDelta
from hutong.kernel.http.outbound import Outbound
from hutong.kit.clock import SystemClock
from hutong.providers.openai.client import OpenAIChat
from hutong.providers.openai.settings import ProviderSettings

KEY = "sk-the-operators-own-key"
CALL = ChatCall("alias", {"messages": [{"role": "user", "content": "Hi"}]}, user_id=42, request_id="req-of-ours")


def client_of(url: str, outbound: Outbound, *, name: str = "openai", **limits: float) -> OpenAIChat:
    """A client with short limits where a test needs them."""
    chosen = ProviderSettings.model_validate({"name": name, "base_url": url, "api_key": SecretStr(KEY), **limits})
    return OpenAIChat(chosen, url, outbound, SystemClock(), lambda user_id: f"digest-of-{user_id}")


class Deltas(Protocol):
    """What a provider's stream and the gateway's have in common."""

    def __aiter__(self) -> AsyncIterator[ChatDelta | Sequence[ChatDelta]]: ...


@dataclass
class Heard:
    """What came of a stream."""

    deltas: list[ChatDelta]
    failure: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)


async def heard(stream: Deltas) -> Heard:
    """The whole of a stream, and how it failed."""
    found = Heard([])
    try:
        async for some in stream:
            found.deltas += [some] if isinstance(some, ChatDelta) else some
    except Exception as error:
        found.failure = error
    return found
