"""A storefront server to measure, and customers who have signed in to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks import balance, servers
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client

AUTH = "/storefront/api/client/auth"
ME = f"{AUTH}/me"
PASSWORD = "a long enough passphrase"  # noqa: S105
UNLOCKED = {"HUTONG_AUTH__CALLS_PER_MINUTE": "10000000"}


@dataclass(frozen=True)
class Shop:
    """A running API process with the storefront.

    Args:
        api: the process.
        port: where it listens on this machine.
    """

    api: psutil.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def shop(folder: Path, database_url: str, store_url: str) -> AsyncIterator[Shop]:
    """A server as in production, whose limits count but refuse nobody."""
    port = servers.port()
    settings = load_settings(env="test", data=folder, database_url=database_url)
    await asyncio.to_thread(migrations.upgrade, settings)
    environment = {**balance.environment(folder, database_url, store_url), **UNLOCKED}
    async with servers.process(["-m", "hutong", "serve", "--port", str(port)], environment) as api:
        await servers.answering(f"http://127.0.0.1:{port}/readyz")
        yield Shop(api, port)


async def post(client: aiohttp.ClientSession, shop: Shop, path: str, body: Mapping[str, Any]) -> Any:  # noqa: TID251
    """The `data` of a successful answer.

    Raises:
        RuntimeError: it was none.
    """
    async with client.post(f"{shop.url}{AUTH}{path}", json=body) as answer:
        if answer.status != 200:
            raise RuntimeError(await answer.text())
        return (await answer.json())["data"]


async def sign_in(shop: Shop, email: str) -> dict[str, Any]:
    """Register and sign in; the tokens."""
    async with http_client() as client:
        await post(client, shop, "/register", {"email": email, "password": PASSWORD})
        tokens: dict[str, Any] = await post(client, shop, "/login", {"email": email, "password": PASSWORD})
    return tokens
