"""The list of conversations and one with 200 messages, as the chat page asks for them.

201 conversations, PostgreSQL and Redis, all middleware on, the token asked of Redis each time; beside a bare Starlette hello.
The issue's goals: less than 2 ms of CPU for the list, less than 5 ms for the conversation. The list is measured from its copy
and from SQL. Source: reference/chat.md §4 (the same shape took a peer 4.3 ms and 21 ms).
"""

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import servers, shoppers
from benchmarks.measure import Cost, Finding, alternate_all, median
from benchmarks.storefront_me import asking
from hutong.apps.chat.rows.ids import new_uuid
from support.http import http_client
from support.servers import postgres, redis

LIST_MS, MESSAGES_MS = 2.0, 5.0
CONVERSATIONS, MESSAGES, SAID = 201, 200, "What one person says to another, and what they answer. " * 29
START = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = "/chat/api/v1"


async def run(*, quick: bool) -> list[Finding]:
    """One server; one request at a time is asked of it."""
    seconds, rounds = (0.5, 2) if quick else (3.0, 6)
    async with AsyncExitStack() as stack:
        database, store = stack.enter_context(postgres()), stack.enter_context(redis())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shop = await stack.enter_async_context(shoppers.shop(folder, database.create_database("chat"), store.url))
        file = exported()
        headers = await _member(shop, file)
        floor = servers.port()
        hello = await stack.enter_async_context(servers.process(["-m", "benchmarks.hello", str(floor)], {}))
        await servers.answering(f"http://127.0.0.1:{floor}/")
        longest = file["conversations"][0]["id"]
        measured = {
            "copy": asking(shop.api, shop.port, f"{CHAT}/conversations", seconds, headers),
            "list": asking(shop.api, shop.port, f"{CHAT}/conversations?limit=39", seconds, headers),
            "search": asking(shop.api, shop.port, f"{CHAT}/conversations?q=nowhere", seconds, headers),
            "messages": asking(
                shop.api, shop.port, f"{CHAT}/conversations/{longest}/messages?limit={MESSAGES}", seconds, headers
            ),
            "branch": asking(
                shop.api, shop.port, f"{CHAT}/conversations/{longest}/messages?leaf=newest", seconds, headers
            ),
            "hello": asking(hello, floor, "/", seconds, {}),
        }
        for first in measured.values():
            await first()
        return _findings(await alternate_all(measured, rounds))


def _findings(costs: Mapping[str, list[Cost]]) -> list[Finding]:
    micros = {name: median(rounds, lambda cost: cost.cpu_micros) for name, rounds in costs.items()}
    rates = {name: median(rounds, lambda cost: cost.per_second) for name, rounds in costs.items()}
    told = {name: f"{rates[name]:,.0f}/s ({micros[name]:.0f} µs CPU)" for name in costs}
    wanted = (
        ("copy", "a page of 40 conversations, from its copy", LIST_MS),
        ("list", "a page of 39 conversations, from SQL", LIST_MS),
        ("search", f"a search in {CONVERSATIONS} conversations that finds none", None),
        ("messages", f"{MESSAGES} messages of a conversation, 300 kB", MESSAGES_MS),
        ("branch", "the same as one branch", MESSAGES_MS),
    )
    return [
        Finding(
            f"chat: {what}",
            told[name],
            f"Starlette hello {told['hello']}",
            micros[name] / 1000,
            unit="ms CPU",
            goal=goal,
            better="less",
        )
        for name, what, goal in wanted
    ]


def exported() -> dict[str, Any]:
    """A history to import: the first conversation is the long one."""
    return {
        "format": "hutong.chat",
        "version": 1,
        "exported_at": START.isoformat(),
        "conversations": [_conversation(number, MESSAGES if number == 0 else 2) for number in range(CONVERSATIONS)],
    }


def _conversation(number: int, messages: int) -> dict[str, Any]:
    begun = START + timedelta(minutes=number)
    ids = [new_uuid(begun) for _ in range(messages)]
    return {
        "id": new_uuid(begun),
        "title": f"Conversation number {number}",
        "model": "gpt-4o-mini",
        "is_archived": False,
        "leaf_id": ids[-1],
        "created_at": begun.isoformat(),
        "updated_at": begun.isoformat(),
        "messages": [
            {
                "id": one,
                "parent_id": ids[place - 1] if place else None,
                "role": "assistant" if place % 2 else "user",
                "content": SAID,
                "status": "complete",
                "created_at": (begun + timedelta(seconds=place)).isoformat(),
            }
            for place, one in enumerate(ids)
        ],
    }


async def _member(shop: shoppers.Shop, file: Mapping[str, Any]) -> dict[str, str]:
    """Somebody with this history; the header that shows who they are."""
    async with http_client() as client:
        new = {"username": "bench", "email": "bench@example.com", "password": shoppers.PASSWORD}
        async with client.post(f"{shop.url}{CHAT}/auth/register", json=new) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        async with client.post(f"{shop.url}{CHAT}/conversations/import", json=file, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())
    return headers
