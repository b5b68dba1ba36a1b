"""A store that is lost, older than it was, away or silent: never a revoked token alive, never a 401 for want of a server."""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from hutong.kernel.db import Database
from hutong.kernel.http.limits import Limiter
from hutong.kernel.identity.errors import TokenRevoked
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.identity.sessions.tables import EndReason
from hutong.kernel.store import Store, StoreUnavailable
from kernel.identity.signed_in import DEAD, LAPTOP, PHONE, UNLIMITED, House
from support.servers import Redis, redis

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def server() -> Iterator[Redis]:
    """A store of this test's own, with a log that is synced at each write."""
    with redis(durable=True) as started:
        yield started


@pytest.fixture
async def own(db: Database, server: Redis) -> AsyncIterator[House]:
    """A house whose store can be stopped."""
    store = Store(server.store_url)
    yield House(db, store)
    await store.close()


async def answers(sessions: Sessions, house: House) -> None:
    """Wait until the connection that broke has been replaced."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            return await house.store.ping()
        except StoreUnavailable:
            continue
    raise TimeoutError


async def test_a_token_that_was_revoked_stays_so_in_a_store_that_came_back_older(own: House, server: Redis) -> None:
    sessions, user = own.process(), await own.user()
    revoked, kept = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    assert await own.is_admitted(sessions, revoked.access_token)
    server.keep_a_copy()
    await answers(sessions, own)
    await sessions.end(user, revoked.session_id)
    server.come_back_older()
    await answers(sessions, own)

    assert await own.alive(user) == (2, 2, 0), "the store believes that both are alive"
    assert not await own.is_admitted(sessions, revoked.access_token)
    assert await own.is_admitted(sessions, kept.access_token)
    with pytest.raises(TokenRevoked):
        await sessions.refresh(revoked.refresh_token, PHONE)
    assert await own.alive(user) == (1, 1, 0)
    assert await own.alarms(user) == []


async def test_a_token_that_was_rotated_stays_so_in_a_store_that_came_back_older(own: House, server: Redis) -> None:
    """Neither the old pair nor a second successor; the new pair is lost with the store, and its user signs in again."""
    sessions, user = own.process(), await own.user()
    first = await sessions.open(user, PHONE)
    server.keep_a_copy()
    await answers(sessions, own)
    second = await sessions.refresh(first.refresh_token, PHONE)
    server.come_back_older()
    await answers(sessions, own)

    assert await own.alive(user) == (1, 1, 0)
    assert not await own.is_admitted(sessions, first.access_token)
    assert not await own.is_admitted(sessions, second.access_token)
    for token in (second.refresh_token, first.refresh_token):
        with pytest.raises(TokenRevoked):
            await sessions.refresh(token, PHONE)
    assert await own.alive(user) == (0, 0, 0)
    assert await own.why(first.session_id) is EndReason.LOST
    assert await own.alarms(user) == [], "nobody stole anything"


async def test_an_older_store_makes_no_second_successor(own: House, server: Redis) -> None:
    """The predecessor comes first: the store would rotate it again, SQL knows better."""
    sessions, user = own.process(), await own.user()
    first = await sessions.open(user, PHONE)
    server.keep_a_copy()
    await answers(sessions, own)
    await sessions.refresh(first.refresh_token, PHONE)
    server.come_back_older()
    await answers(sessions, own)

    with pytest.raises(TokenRevoked):
        await sessions.refresh(first.refresh_token, PHONE)
    assert await own.alive(user) == (0, 0, 0)


async def test_a_token_newer_than_the_store_is_no_replay(own: House, server: Redis) -> None:
    """Its user signs in again, and nobody is alarmed."""
    sessions, user = own.process(), await own.user()
    first = await sessions.open(user, PHONE)
    server.keep_a_copy()
    await answers(sessions, own)
    second = await sessions.refresh(first.refresh_token, PHONE)
    server.come_back_older()
    await answers(sessions, own)

    with pytest.raises(TokenRevoked) as refusal:
        await sessions.refresh(second.refresh_token, PHONE)
    assert refusal.type is TokenRevoked
    assert await own.alive(user) == (0, 0, 0)
    assert await own.alarms(user) == []


async def test_an_untouched_session_outlives_an_older_store_and_is_renewed(own: House, server: Redis) -> None:
    sessions, user = own.process(), await own.user()
    pair = await sessions.open(user, PHONE)
    server.keep_a_copy()
    server.come_back_older()
    await answers(sessions, own)

    renewed = await sessions.refresh(pair.refresh_token, PHONE)
    assert await own.is_admitted(sessions, renewed.access_token)


async def test_a_replica_that_lagged_behind_brings_nothing_back(own: House, server: Redis) -> None:
    """It is promoted without a restart; every process goes on with it."""
    with redis() as replica:
        sessions, user = own.process(), await own.user()
        revoked, kept = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
        with server.client() as client:
            client.config_set("repl-diskless-sync-delay", 0)
        with replica.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", server.port)
            end = time.monotonic() + 20
            while not client.exists(f"access_token:{{{user}}}"):
                assert time.monotonic() < end
            client.execute_command("REPLICAOF", "NO", "ONE")
        await sessions.end(user, revoked.session_id)
        server.kill()
        promoted = Store(replica.store_url)
        heir = House(own.db, promoted, own.clock)
        after = heir.process()

        assert await heir.alive(user) == (2, 2, 0)
        assert not await heir.is_admitted(after, revoked.access_token)
        assert await heir.is_admitted(after, kept.access_token)
        await promoted.close()


async def test_a_flushed_store_means_to_sign_in_again(house: House, redis_server: Redis) -> None:
    sessions, user = house.process(), await house.user()
    pair, other = await sessions.open(user, PHONE), await sessions.open(user, PHONE)
    renewed = await sessions.refresh(other.refresh_token, PHONE)
    redis_server.flush()

    assert not await house.is_admitted(sessions, pair.access_token)
    for token in (pair.refresh_token, other.refresh_token, renewed.refresh_token):
        with pytest.raises(TokenRevoked) as refusal:
            await sessions.refresh(token, PHONE)
        assert refusal.type is TokenRevoked
    assert await sessions.list(user) == [], "the list shows no session that nobody can use"
    assert await house.alarms(user) == []
    assert await house.is_admitted(sessions, (await sessions.open(user, PHONE)).access_token)


async def test_a_replay_is_noticed_by_sql_where_the_store_has_forgotten(house: House, redis_server: Redis) -> None:
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    await sessions.refresh((await sessions.refresh(first.refresh_token, PHONE)).refresh_token, PHONE)
    redis_server.flush()

    with pytest.raises(TokenRevoked):
        await sessions.refresh(first.refresh_token, PHONE)
    (event,) = await house.alarms(user)
    assert event.kind == "session.reuse_detected"
    assert await house.why(first.session_id) is EndReason.REUSED


async def test_without_a_store_nobody_is_let_in_and_nobody_is_sent_away(own: House, server: Redis) -> None:
    """T22: 503 with the time to wait, for each verb; ends count all the same."""
    sessions, user = own.process(), await own.user()
    pair, ended = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    server.kill()
    calls = (
        lambda: sessions.admit(pair.access_token, Limiter(own.store, own.clock), UNLIMITED),
        lambda: sessions.refresh(pair.refresh_token, PHONE),
        lambda: sessions.open(user, PHONE),
        lambda: sessions.end(user, ended.session_id),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as refusal:
            await call()
        assert refusal.value.status == 503
        assert refusal.value.retry_after == 1
    assert [view.id for view in await sessions.list(user)] == [pair.session_id]
    server.start()
    await answers(sessions, own)

    assert await own.is_admitted(sessions, pair.access_token)
    assert not await own.is_admitted(sessions, ended.access_token), "SQL ended it while the store was away"
    assert await sessions.refresh(pair.refresh_token, PHONE)


async def test_a_silent_store_is_given_up_in_time(own: House, server: Redis) -> None:
    """T22: one that accepts connections and says nothing."""
    sessions, user = own.process(), await own.user()
    pair = await sessions.open(user, PHONE)
    os.kill(server.pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await sessions.admit(pair.access_token, Limiter(own.store, own.clock), UNLIMITED)
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert time.monotonic() - begun < 5


async def test_whoever_ended_all_without_a_store_completes_it_by_asking_again(own: House, server: Redis) -> None:
    sessions, user = own.process(), await own.user()
    pair = await sessions.open(user, PHONE)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable):
            await sessions.end_all(user)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    own.manual.advance(1)
    await answers(sessions, own)
    await sessions.end_all(user)

    assert await own.alive(user) == (0, 0, 0)
    with pytest.raises(DEAD):
        await sessions.refresh(pair.refresh_token, PHONE)
