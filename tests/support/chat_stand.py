"""The chat models of an installation with two scripted vendors, `one` and `two`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from hutong.kernel.config import Document
from hutong.kernel.gateway.chat import ChatProvider
from hutong.kernel.gateway.chats import Chats
from hutong.kernel.gateway.limits import Limited
from hutong.kernel.gateway.models import Models
from hutong.kernel.gateway.retrying import Patience, Retrying
from hutong.kernel.http.outbound import Outbound
from hutong.kit.clock import SystemClock
from support.chat_bench import client_of
from support.scripted_vendor import ScriptedVendor, scripted_vendor

PRICES = {"price_in": 1_000_000, "price_cached": 500_000, "price_out": 2_000_000}
DOCUMENT = {
    "currency": "CNY",
    "models": {
        "alias": {"routes": ["one:big", "two:big"]},
        "alone": {"routes": ["one:big"]},
        "growing": {"routes": ["one:small", "two:small", "two:big"]},
        "precious": {"routes": ["one:big"], "access": "vip"},
        "elsewhere": {"routes": ["three:big"]},
    },
    "facts": {
        "one:big": {"window": 1000, "tools": True, **PRICES},
        "two:big": {"window": 2000, "output": 100, "vision": True, **PRICES},
        "one:small": {"window": 500, **PRICES},
        "two:small": {"window": 400, **PRICES},
        "three:big": {"window": 1000},
    },
}


@dataclass
class ChatStand:
    """The gateway and the two vendors behind it."""

    chats: Chats
    one: ScriptedVendor
    two: ScriptedVendor
    document: Document[Models]


@asynccontextmanager
async def chat_stand() -> AsyncIterator[ChatStand]:
    """The gateway with short times: three tries, two places, 0.4 s for a token."""
    outbound, clock = Outbound(allow_private=True), SystemClock()
    async with scripted_vendor() as one, scripted_vendor() as two:
        providers: dict[str, ChatProvider] = {}
        for name, vendor in (("one", one), ("two", two)):
            client = client_of(vendor.url, outbound, name=name, first_token=0.4, between_tokens=0.4)
            limited = Limited(client, 2, 0.3, clock)
            providers[name] = Retrying(limited, Patience(tries=3, pause=0.01, longest_pause=0.2))
        document = Document("models.yaml", Models, orjson.dumps(DOCUMENT))
        yield ChatStand(Chats(providers, document, clock), one, two, document)
    await outbound.close()
