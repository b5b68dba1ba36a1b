"""Sessions on a Redis Cluster of three masters: keys of one slot, commands of Redis 6.2, slots that move."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from hutong.kernel.db import Database
from hutong.kernel.identity.errors import RefreshBusy, RefreshReused, TokenRevoked
from hutong.kernel.identity.sessions import TokenPair
from hutong.kernel.store import Store
from hutong.kernel.store.cluster import slot_of
from kernel.identity.signed_in import LAPTOP, PHONE, House
from support.overheard import overhearing
from support.redis_6_2 import is_known
from support.servers import RedisCluster

USERS = 8
SHAPE = r"((access_token|refresh_token|refresh_token_old):{tag}|session:{tag}:\d+|limit:user:{tag}:\d+)"
pytestmark = [pytest.mark.server, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
async def house(db: Database, redis_masters: RedisCluster) -> AsyncIterator[House]:
    redis_masters.flush()
    store = Store(redis_masters.store_url)
    yield House(db, store)
    await store.close()


async def life_of_a_user(house: House) -> int:
    """Each verb, with what a client and a thief do."""
    sessions, user = house.process(), await house.user()
    phone, laptop, third = [await sessions.open(user, client) for client in (PHONE, LAPTOP, PHONE)]
    renewed = await sessions.refresh(phone.refresh_token, PHONE)
    assert await sessions.refresh(phone.refresh_token, PHONE) == renewed
    assert await house.is_admitted(sessions, renewed.access_token)
    assert not await house.is_admitted(sessions, phone.access_token)
    house.manual.advance(31)
    with pytest.raises(RefreshReused):
        await sessions.refresh(phone.refresh_token, PHONE)
    house.manual.advance(60)
    assert await house.is_admitted(sessions, laptop.access_token)
    await sessions.end(user, third.session_id)
    await sessions.end_all(user)
    assert await house.alive(user) == (0, 0, 0)
    return user


async def test_all_keys_of_a_user_share_a_slot_and_commands_are_old(house: House, redis_masters: RedisCluster) -> None:
    async with overhearing(redis_masters.nodes) as overheard:
        users = [await life_of_a_user(house) for _ in range(USERS)]
    scripts = [words for words in overheard.sent if words[0] in {"EVAL", "EVALSHA"}]
    shapes = [re.compile(SHAPE.replace("{tag}", rf"\{{{user}\}}")) for user in users]
    keys = [words[3 : 3 + int(words[2])] for words in scripts]

    assert [words for words in overheard.sent + overheard.by_scripts if not is_known(*words)] == []
    assert all(any(all(shape.fullmatch(key) for key in each) for shape in shapes) for each in keys)
    assert len({redis_masters.owner(slot_of(str(user).encode())).port for user in users}) > 1


async def test_fifty_renewals_at_once_make_one_successor(house: House) -> None:
    processes, user = (house.process(), house.process()), await house.user()
    first = await processes[0].open(user, PHONE)
    answers = await asyncio.gather(
        *(processes[number % 2].refresh(first.refresh_token, PHONE) for number in range(50)), return_exceptions=True
    )

    assert len({answer for answer in answers if isinstance(answer, TokenPair)}) == 1
    assert {type(answer) for answer in answers} <= {TokenPair, RefreshBusy}
    assert await house.alive(user) == (1, 1, 1)


async def test_a_users_tokens_move_with_their_slot(house: House, redis_masters: RedisCluster) -> None:
    """To a node with another history: SQL is asked once, and knows what ended."""
    sessions, user = house.process(), await house.user()
    ended, kept = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    await house.db.write(sessions.end_within, user, keep=kept.session_id)
    slot = slot_of(str(user).encode())
    source = redis_masters.owner(slot)
    target = next(node for node in redis_masters.nodes if node is not source)
    redis_masters.move_slot(slot, source, target)
    try:
        assert not await house.is_admitted(sessions, ended.access_token)
        assert await house.is_admitted(sessions, kept.access_token)
        with pytest.raises(TokenRevoked):
            await sessions.refresh(ended.refresh_token, PHONE)
        assert await sessions.refresh(kept.refresh_token, LAPTOP)
    finally:
        redis_masters.move_slot(slot, target, source)
