"""Chat models for apps: names in, answers with receipts out; routing, limits, retries and fallback between them."""

import hmac
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from hutong.kernel.config import Document
from hutong.kernel.gateway.chat import (
    ChatAnswer,
    ChatCall,
    ChatProvider,
    ChatStream,
    ProviderAnswer,
    ProviderStream,
)
from hutong.kernel.gateway.errors import RealCallsForbidden
from hutong.kernel.gateway.fallback import first_answer
from hutong.kernel.gateway.metering import Meter, MeteredStream, Tally
from hutong.kernel.gateway.models import Models
from hutong.kernel.gateway.routing import ModelCard, Routing
from hutong.kernel.settings import secret_bytes
from hutong.kit.clock import Clock


class Chats:
    """The chat models of this installation.

    Args:
        providers: by name, with their wrappers (`limits.Limited`, `retrying.Retrying`).
        document: `models.yaml`, live.
        clock: measures.
    """

    def __init__(self, providers: Mapping[str, ChatProvider], document: Document[Models], clock: Clock) -> None:
        self._providers = providers
        self._document = document
        self._clock = clock
        self._known: tuple[str, Routing] | None = None

    def models(self, *, vip: bool) -> list[ModelCard]:
        """The models that a user may use, in the document's order."""
        return self._routing.cards(vip=vip)

    def model(self, name: str, *, vip: bool) -> ModelCard:
        """One model.

        Raises:
            ModelUnknown, ModelForbidden.
        """
        return self._routing.card(name, vip=vip)

    async def complete(self, call: ChatCall, *, vip: bool) -> ChatAnswer:
        """A whole answer.

        Raises:
            ModelUnknown, ModelForbidden, CallRefused, ContextTooLong: the caller can change that.
            ProviderFailed: another subclass; nothing was generated that must be paid for, as far as one knows.
        """
        begun = self._clock.monotonic()

        async def ask(provider: ChatProvider, model: str) -> ProviderAnswer:
            return await provider.complete(call, model)

        routes = self._routing.routes(call.model, call.body, vip=vip)
        route, answer = await first_answer(routes, self._providers, ask, call.request_id)
        meter, tally = Meter(call, route, self._clock, begun), Tally()
        tally.add(answer.text, "")
        usage = await meter.usage(answer.usage, tally)
        return ChatAnswer(answer.body, answer.finish_reason, meter.receipt(usage, answer.request_id, "ok"))

    async def stream(self, call: ChatCall, *, vip: bool) -> ChatStream:
        """A stream whose first token is there. Close it, or ask for its receipt.

        Raises:
            As `complete`.
        """
        begun = self._clock.monotonic()

        async def ask(provider: ChatProvider, model: str) -> ProviderStream:
            return await provider.stream(call, model)

        routes = self._routing.routes(call.model, call.body, vip=vip)
        route, stream = await first_answer(routes, self._providers, ask, call.request_id)
        return MeteredStream(stream, route, Meter(call, route, self._clock, begun))

    @property
    def _routing(self) -> Routing:
        """Of the document's present version."""
        if self._known is None or self._known[0] != self._document.version:
            self._known = self._document.version, Routing(self._document.value, self._providers)
        return self._known[1]


class Forbidden:
    """A provider that must not be called here: the switch that keeps tests from costing money."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def complete(self, call: ChatCall, provider_model: str) -> ProviderAnswer:
        raise RealCallsForbidden

    async def stream(self, call: ChatCall, provider_model: str) -> ProviderStream:
        raise RealCallsForbidden

    async def ping(self) -> None:
        raise RealCallsForbidden


def is_real(base_url: str) -> bool:
    """Whether calls to an address leave this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def user_digest(secret: SecretStr) -> Callable[[int], str]:
    """Makes what providers are told instead of a user's id: the same for the same user, and of no use to anybody else.

    Args:
        secret: the installation's; the digest's key is derived from it.
    """
    key = hmac.digest(secret_bytes(secret), b"hutong.gateway.user", "sha256")
    return lambda user_id: hmac.digest(key, str(user_id).encode(), "sha256").hex()[:32]
