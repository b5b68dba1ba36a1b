"""Joins the chat providers of the settings to the gateway: a client each, and the wrappers around it."""

from hutong.host.settings import Settings
from hutong.kernel.config import Document
from hutong.kernel.gateway.chat import ChatProvider
from hutong.kernel.gateway.chats import Chats, Forbidden, is_real, user_digest
from hutong.kernel.gateway.limits import Limited
from hutong.kernel.gateway.models import Models
from hutong.kernel.gateway.retrying import Patience, Retrying
from hutong.kernel.http.outbound import Outbound
from hutong.kit.clock import Clock
from hutong.providers.openai.client import OpenAIChat
from hutong.providers.openai.settings import ProviderSettings

OPENAI_SANDBOX_PATH = "/sandbox/openai"


def openai_url(settings: Settings, provider: ProviderSettings) -> str:
    """The provider, or this installation's sandbox."""
    return provider.base_url or f"{settings.public_url.rstrip('/')}{OPENAI_SANDBOX_PATH}/v1"


def open_chats(
    settings: Settings, outbound: Outbound, inside: Outbound, clock: Clock, document: Document[Models]
) -> Chats:
    """The chat models of this installation.

    Args:
        settings: of this process.
        outbound: calls public addresses.
        inside: calls private ones too, for the providers that say that they lie there.
        clock: measures, and reads dates.
        document: `models.yaml`.
    """
    providers: dict[str, ChatProvider] = {}
    for chosen in settings.chat_providers:
        client = _client(settings, chosen, inside if chosen.private else outbound, clock)
        chat = settings.models
        limited = Limited(client, chosen.concurrency, chat.place_wait, clock)
        providers[chosen.name] = Retrying(limited, Patience(chat.tries, chat.pause, chat.longest_pause))
    return Chats(providers, document, clock)


def _client(settings: Settings, chosen: ProviderSettings, outbound: Outbound, clock: Clock) -> ChatProvider:
    """The sandbox may be called under any name of this machine; everything else that is not loopback is real."""
    if settings.real_calls_forbidden and chosen.base_url and is_real(chosen.base_url):
        return Forbidden(chosen.name)
    digest = user_digest(settings.identity_secret)
    return OpenAIChat(chosen, openai_url(settings, chosen), outbound, clock, digest)
