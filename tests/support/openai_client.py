"""Users of the chat app with API keys, behind the official SDK of OpenAI; the models' provider follows scripts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI
from sqlalchemy import select

from hutong.apps.chat.compatible.tables import chat_usage
from hutong.apps.chat.envelope import REALM
from hutong.kernel.db import Connection
from hutong.kernel.identity.api_keys import ApiKeys
from support.stand import Stand
from support.talk_room import MODEL
from support.talker import Talker

HI: Any = [{"role": "user", "content": "Hi"}]


async def key_of(stand: Stand, talker: Talker) -> str:
    """A new API key of a user."""
    kernel = stand.host.kernel
    keys = ApiKeys(REALM, kernel.ids, kernel.clock)
    _, secret = await kernel.db.write(keys.create, int(talker.user["id"]), "test")
    return secret


@asynccontextmanager
async def sdk_of(base: str, secret: str, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    """The official SDK at this installation."""
    client = AsyncOpenAI(base_url=f"{base}/chat/v1", api_key=secret, **options)
    try:
        yield client
    finally:
        await client.close()


async def records_of(stand: Stand, talker: Talker) -> list[dict[str, Any]]:
    """The records of a user's calls, the oldest first."""

    def read(conn: Connection) -> list[dict[str, Any]]:
        mine = select(chat_usage).where(chat_usage.c.user_id == int(talker.user["id"])).order_by(chat_usage.c.id)
        return [dict(row._mapping) for row in conn.execute(mine)]

    return await stand.host.kernel.db.read(read)


__all__ = ["HI", "MODEL", "key_of", "records_of", "sdk_of"]
