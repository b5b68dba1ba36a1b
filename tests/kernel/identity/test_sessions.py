"""Sessions: sign-in, rotation with its grace, replays, ends, and what is left in the store."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from hutong.kernel.http.limits import Limit, Limiter, LimitExceeded
from hutong.kernel.identity.errors import (
    RefreshBusy,
    RefreshReused,
    SessionUnknown,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
    TokenWrongKind,
    UserBlocked,
    UserUnknown,
)
from hutong.kernel.identity.sessions import INVARIANTS, SessionPolicy, Sessions, TokenPair, forget_old
from hutong.kernel.identity.sessions.index import TokenIndex
from hutong.kernel.identity.sessions.pairs import digest, new_turn, sign
from hutong.kernel.identity.sessions.tables import EndReason
from hutong.kernel.identity.sessions.tables import sessions as rows
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.identity.users import set_status
from hutong.kernel.observability.invariants import check
from kernel.identity.signed_in import LAPTOP, NOON, PHONE, REALM, UNLIMITED, House
from support.overheard import overhearing
from support.servers import Redis

DAY = 86_400
on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What the store decides."""


# Sign-in


async def test_a_session_has_a_pair_of_tokens_that_say_whose_they_are(house: House) -> None:
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    caller = await sessions.admit(pair.access_token, Limiter(house.store, house.clock), UNLIMITED)

    assert (caller.user_id, caller.session_id) == (user, pair.session_id)
    assert pair.access_expires_at == NOON + timedelta(days=1)
    assert pair.refresh_expires_at == NOON + timedelta(days=7)
    assert caller.expires_at == pair.access_expires_at.timestamp()


@on_one_database
async def test_the_store_has_the_contracts_layout_and_no_token(house: House) -> None:
    """Sorted sets under one hash tag: SHA-256 digest to the second in which the token ends."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    renewed = await sessions.refresh(pair.refresh_token, PHONE)
    sets = [
        await house.store.call("ZRANGE", f"{name}:{{{user}}}", 0, -1, "WITHSCORES")
        for name in ("access_token", "refresh_token", "refresh_token_old")
    ]

    assert sets == [
        [digest(renewed.access_token), b"%d" % (NOON.timestamp() + DAY)],
        [digest(renewed.refresh_token), b"%d" % (NOON.timestamp() + 7 * DAY)],
        [digest(pair.refresh_token), b"%d" % (NOON.timestamp() + 30)],
    ]
    assert await house.store.call("EXISTS", f"session:{{{user}}}:{pair.session_id}") == 1


async def test_nobody_signs_in_who_is_blocked_or_unknown_and_nothing_is_left_of_it(house: House) -> None:
    sessions, blocked = house.process(), await house.user(UserStatus.BLOCKED)

    with pytest.raises(UserBlocked):
        await sessions.open(blocked, PHONE)
    with pytest.raises(UserUnknown):
        await sessions.open(blocked + 10**6, PHONE)
    assert await house.alive(blocked) == await house.alive(blocked + 10**6) == (0, 0, 0)
    assert await sessions.list(blocked) == []


# Rotation


async def test_a_renewal_ends_the_pair_before(house: House) -> None:
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    second = await sessions.refresh(first.refresh_token, PHONE)

    assert second.session_id == first.session_id
    assert not await house.is_admitted(sessions, first.access_token)
    assert await house.is_admitted(sessions, second.access_token)
    assert await house.alive(user) == (1, 1, 1)


@on_one_database
async def test_a_client_whose_answer_was_lost_gets_the_same_pair_again(house: House) -> None:
    """R02. In any process, until thirty seconds after the first time; asking moves nothing."""
    here, there, user = house.process(), house.process(), await house.user()
    first = await here.open(user, PHONE)
    second = await here.refresh(first.refresh_token, PHONE)
    for number in range(6):
        house.manual.advance(5)
        process = there if number % 2 else here
        assert await process.refresh(first.refresh_token, PHONE) == second

    assert await house.is_admitted(there, second.access_token)
    house.manual.advance(0.5)
    with pytest.raises(RefreshReused):
        await there.refresh(first.refresh_token, PHONE)


@on_one_database
async def test_a_new_signing_key_changes_nothing_about_the_pair_that_was_handed_out(house: House) -> None:
    before, after, user = house.process("2026"), house.process("2026", "2027"), await house.user()
    first = await before.open(user, PHONE)
    second = await before.refresh(first.refresh_token, PHONE)

    assert await after.refresh(first.refresh_token, PHONE) == second
    third = await after.refresh(second.refresh_token, PHONE)
    assert await house.is_admitted(after, third.access_token)
    with pytest.raises(RefreshBusy):  # the next successor is signed with a key that this process does not have yet
        await before.refresh(second.refresh_token, PHONE)


async def test_a_used_token_after_its_grace_ends_its_family_only_and_is_reported(house: House) -> None:
    """R03, R05."""
    sessions, user = house.process(), await house.user()
    stolen, other = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    newest = await sessions.refresh(stolen.refresh_token, PHONE)
    house.manual.advance(31)

    with pytest.raises(RefreshReused):
        await sessions.refresh(stolen.refresh_token, LAPTOP)
    for _ in range(2):
        with pytest.raises(TokenRevoked):
            await sessions.refresh(newest.refresh_token, PHONE)
    assert not await house.is_admitted(sessions, newest.access_token)
    assert await house.is_admitted(sessions, other.access_token)
    assert [view.id for view in await sessions.list(user)] == [other.session_id]
    assert await house.why(stolen.session_id) is EndReason.REUSED
    (event,) = await house.alarms(user)
    assert (event.kind, event.address, event.device_id) == ("session.reuse_detected", "192.0.2.8", "device-0002")
    assert event.details == {"session_id": str(stolen.session_id), "presented": 0, "newest": 1}


@on_one_database
async def test_a_grandparent_is_a_replay_at_once(house: House) -> None:
    """R04: only the direct predecessor has a grace."""
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    second = await sessions.refresh(first.refresh_token, PHONE)
    third = await sessions.refresh(second.refresh_token, PHONE)

    with pytest.raises(RefreshReused):
        await sessions.refresh(first.refresh_token, PHONE)
    assert not await house.is_admitted(sessions, third.access_token)
    assert await house.alive(user) == (0, 0, 0)


@on_one_database
async def test_an_old_token_is_known_for_a_replay_long_after_its_digest_was_trimmed(house: House) -> None:
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    newest = first
    for _ in range(5):
        house.manual.advance(DAY)
        newest = await sessions.refresh(newest.refresh_token, PHONE)

    with pytest.raises(RefreshReused):
        await sessions.refresh(first.refresh_token, PHONE)
    assert len(await house.alarms(user)) == 1


async def test_fifty_renewals_at_once_make_one_successor(house: House) -> None:
    """R01, over two processes."""
    processes, user = (house.process(), house.process()), await house.user()
    first = await processes[0].open(user, PHONE)
    answers = await asyncio.gather(
        *(processes[number % 2].refresh(first.refresh_token, PHONE) for number in range(50)), return_exceptions=True
    )
    pairs = {answer for answer in answers if isinstance(answer, TokenPair)}

    assert len(pairs) == 1
    assert {type(answer) for answer in answers} <= {TokenPair, RefreshBusy}
    assert await house.alive(user) == (1, 1, 1)
    assert await house.is_admitted(processes[1], pairs.pop().access_token)
    assert await house.alarms(user) == []


@on_one_database
async def test_more_answers_than_the_grace_allows_are_refused_without_harm(house: House) -> None:
    sessions, user = house.process(policy=SessionPolicy(most_reuses=3)), await house.user()
    first = await sessions.open(user, PHONE)
    answers = await asyncio.gather(
        *(sessions.refresh(first.refresh_token, PHONE) for _ in range(10)), return_exceptions=True
    )
    (pair,) = {answer for answer in answers if isinstance(answer, TokenPair)}
    busy = [answer for answer in answers if isinstance(answer, RefreshBusy)]

    assert len(busy) == 6
    assert busy[0].retry_after == 1
    assert await house.is_admitted(sessions, pair.access_token)


@on_one_database
async def test_a_session_ends_at_its_absolute_time_however_often_it_was_renewed(house: House) -> None:
    """R10: no token of it is good for longer."""
    sessions, user = house.process(policy=SessionPolicy(absolute_seconds=10 * DAY)), await house.user()
    pair = await sessions.open(user, PHONE)
    for _ in range(4):
        house.manual.advance(2 * DAY)
        pair = await sessions.refresh(pair.refresh_token, PHONE)
    house.manual.advance(1.5 * DAY)
    pair = await sessions.refresh(pair.refresh_token, PHONE)

    assert pair.access_expires_at == pair.refresh_expires_at == NOON + timedelta(days=10)
    house.manual.advance(0.5 * DAY)
    with pytest.raises(TokenExpired):
        await sessions.refresh(pair.refresh_token, PHONE)
    assert not await house.is_admitted(sessions, pair.access_token)
    assert await sessions.list(user) == []


@on_one_database
async def test_a_refresh_token_ends_when_it_is_not_used(house: House) -> None:
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    house.manual.advance(7 * DAY)

    with pytest.raises(TokenExpired):
        await sessions.refresh(pair.refresh_token, PHONE)


@on_one_database
async def test_each_token_is_for_one_thing(house: House) -> None:
    """T13, T14."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)

    with pytest.raises(TokenWrongKind):
        await sessions.refresh(pair.access_token, PHONE)
    with pytest.raises(TokenWrongKind):
        await sessions.admit(pair.refresh_token, Limiter(house.store, house.clock), UNLIMITED)
    assert await house.alive(user) == (1, 1, 0)


@on_one_database
async def test_a_thousand_renewals_leave_no_more_in_the_store_than_one(house: House) -> None:
    """R09: the sets' sizes stay, and everything has an end."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    for _ in range(20):
        house.manual.advance(1)
        pair = await sessions.refresh(pair.refresh_token, PHONE)
    assert await house.promises_are_kept()
    realm, index = house.realm(), TokenIndex(house.store, house.clock)
    for _ in range(1_000):
        house.manual.advance(1)
        claims, now = realm.verify(pair.refresh_token, "refresh"), int(house.clock.now().timestamp())
        turn = new_turn(house.policy, "2026", now, user, pair.session_id, claims.counter + 1, claims.lasts_until)
        successor = sign(realm, turn)
        assert (await index.rotate(claims, successor, house.policy, newest_in_sql=True)).outcome == "rotated"
        pair = successor.pair
    keys = [f"{name}:{{{user}}}" for name in ("access_token", "refresh_token", "refresh_token_old")]
    lives = [await house.store.call("PTTL", key) for key in (*keys, f"session:{{{user}}}:{pair.session_id}")]

    assert await house.alive(user) == (1, 1, 1)
    assert [round(life / 1000) for life in lives] == [DAY + 60, 7 * DAY + 60, 90, 7 * DAY + 60]


@on_one_database
async def test_what_ran_out_is_trimmed_when_anything_is_written(house: House) -> None:
    sessions, user = house.process(), await house.user()
    await sessions.open(user, PHONE)
    house.manual.advance(DAY)
    await sessions.open(user, LAPTOP)

    assert await house.alive(user) == (1, 2, 0)


# Ends


async def test_a_session_can_be_ended_and_both_its_tokens_with_it(house: House) -> None:
    """T18, R11."""
    here, there, user = house.process(), house.process(), await house.user()
    ended, kept = await here.open(user, PHONE), await here.open(user, LAPTOP)
    used = await here.refresh(ended.refresh_token, PHONE)
    await there.end(user, ended.session_id)

    assert not await house.is_admitted(here, used.access_token)
    for token in (used.refresh_token, ended.refresh_token):
        with pytest.raises(TokenRevoked):
            await here.refresh(token, PHONE)
    assert await house.is_admitted(here, kept.access_token)
    assert await house.alarms(user) == []
    with pytest.raises(SessionUnknown):
        await there.end(user, ended.session_id)


async def test_nobody_ends_anothers_session(house: House) -> None:
    sessions, mine, theirs = house.process(), await house.user(), await house.user()
    pair = await sessions.open(theirs, PHONE)

    for user, session in ((mine, pair.session_id), (theirs, pair.session_id + 10**6)):
        with pytest.raises(SessionUnknown):
            await sessions.end(user, session)
    assert await house.is_admitted(sessions, pair.access_token)


async def test_all_others_and_all_are_exactly_those(house: House) -> None:
    """R11, T19."""
    sessions, user, neighbour = house.process(), await house.user(), await house.user()
    pairs = [await sessions.open(user, client) for client in (PHONE, LAPTOP, PHONE)]
    elsewhere = await sessions.open(neighbour, PHONE)
    await sessions.end_others(user, pairs[1].session_id)

    assert [await house.is_admitted(sessions, pair.access_token) for pair in pairs] == [False, True, False]
    await sessions.end_all(user)
    assert not await house.is_admitted(sessions, pairs[1].access_token)
    with pytest.raises(TokenRevoked):
        await sessions.refresh(pairs[1].refresh_token, PHONE)
    assert await house.alive(user) == (0, 0, 0)
    assert await house.is_admitted(sessions, elsewhere.access_token)


async def test_sessions_ended_with_a_new_password_are_ended_if_it_is(house: House) -> None:
    """In the same transaction: if that fails, nothing has ended."""
    sessions, user = house.process(), await house.user()
    kept, other = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)

    def fail(conn: object) -> None:
        sessions.end_within(conn, user, keep=kept.session_id)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        await house.db.write(fail)
    assert len(await sessions.list(user)) == 2
    await house.db.write(sessions.end_within, user, keep=kept.session_id)
    await sessions.end_others(user, kept.session_id)
    assert [view.id for view in await sessions.list(user)] == [kept.session_id]
    assert not await house.is_admitted(sessions, other.access_token)


async def test_ended_in_sql_alone_is_felt_within_a_minute_and_in_a_renewal_at_once(house: House) -> None:
    """Whoever dies between the two leaves it so."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    await house.db.write(sessions.end_within, user)

    house.manual.advance(61)
    assert not await house.is_admitted(sessions, pair.access_token)
    with pytest.raises(TokenRevoked):
        await sessions.refresh(pair.refresh_token, PHONE)


async def test_a_blocked_users_tokens_end(house: House) -> None:
    """T17: at once for a renewal; calls follow within a minute, or at once for who ends the sessions too."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    await house.db.write(set_status, REALM, user, UserStatus.BLOCKED, house.clock.now())

    with pytest.raises(TokenRevoked):
        await sessions.refresh(pair.refresh_token, PHONE)
    assert not await house.is_admitted(sessions, pair.access_token)


async def test_the_device_list_tells_the_last_use(house: House) -> None:
    sessions, user = house.process(), await house.user()
    phone, laptop = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    house.manual.advance(3600)
    await house.is_admitted(sessions, laptop.access_token)
    await sessions.refresh(phone.refresh_token, PHONE)
    first, second = await sessions.list(user)

    assert (first.id, first.device_id, first.agent, first.address) == (
        phone.session_id, "device-0001", "Phone/1.0", "192.0.2.7",
    )  # fmt: skip
    assert (first.created_at, first.last_used_at) == (NOON, NOON + timedelta(hours=1))
    assert first.expires_at == NOON + timedelta(days=7, hours=1)
    assert (second.id, second.last_used_at) == (laptop.session_id, NOON)


async def test_one_session_too_many_ends_the_one_used_longest_ago(house: House) -> None:
    sessions, user = house.process(policy=SessionPolicy(most_sessions=3)), await house.user()
    pairs = []
    for _ in range(3):
        house.manual.advance(10)
        pairs.append(await sessions.open(user, PHONE))
    house.manual.advance(10)
    pairs[0] = await sessions.refresh(pairs[0].refresh_token, PHONE)
    house.manual.advance(10)
    pairs.append(await sessions.open(user, LAPTOP))

    assert [await house.is_admitted(sessions, pair.access_token) for pair in pairs] == [True, False, True, True]
    assert await house.why(pairs[1].session_id) is EndReason.EVICTED
    assert await house.alive(user) == (3, 3, 1)
    assert len(await sessions.list(user)) == 3


# Admission


@on_one_database
async def test_requests_are_counted_and_those_of_an_ended_token_are_not(house: House) -> None:
    sessions, user = house.process(), await house.user()
    limiter, limit = Limiter(house.store, house.clock), Limit("user", 3)
    stolen, mine = await sessions.open(user, PHONE), await sessions.open(user, LAPTOP)
    await sessions.end(user, stolen.session_id)
    for _ in range(10):
        with pytest.raises(TokenRevoked):
            await sessions.admit(stolen.access_token, limiter, limit)

    for _ in range(3):
        await sessions.admit(mine.access_token, limiter, limit)
    with pytest.raises(LimitExceeded):
        await sessions.admit(mine.access_token, limiter, limit)


@on_one_database
async def test_where_nothing_is_limited_tokens_are_checked_all_the_same(house: House) -> None:
    sessions, user = house.process(), await house.user()
    limiter = Limiter(house.store, house.clock, enabled=False)
    pair = await sessions.open(user, PHONE)
    for _ in range(3):
        assert (await sessions.admit(pair.access_token, limiter, Limit("user", 1))).user_id == user
    await sessions.end(user, pair.session_id)

    with pytest.raises(TokenRevoked):
        await sessions.admit(pair.access_token, limiter, Limit("user", 1))


@on_one_database
async def test_an_admission_is_one_call_of_the_store_and_none_of_sql(house: House, redis_server: Redis) -> None:
    """But for one look at SQL a minute."""
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    await house.is_admitted(sessions, pair.access_token)
    await house.db.write(set_status, REALM, user, UserStatus.BLOCKED, house.clock.now())  # SQL would say no
    async with overhearing([redis_server]) as overheard:
        assert await house.is_admitted(sessions, pair.access_token)

    assert [words[0] for words in overheard.sent] == ["EVALSHA"]


@on_one_database
async def test_a_realm_without_a_name_has_no_sessions(house: House) -> None:
    with pytest.raises(ValueError, match="name"):
        Sessions(house.realm(name=""), house.policy, house.db, house.store, lambda: 1, house.clock)


def test_ended_is_401_busy_is_429_and_unknown_is_404() -> None:
    assert TokenInvalid.status == TokenRevoked.status == RefreshReused.status == TokenWrongKind.status == 401
    assert (RefreshBusy.status, SessionUnknown.status) == (429, 404)


# What is kept


async def test_sessions_are_forgotten_long_after_their_last_token_ran_out(house: House) -> None:
    sessions, user = house.process(), await house.user()
    old = await sessions.open(user, PHONE)
    await sessions.end(user, old.session_id)
    house.manual.advance(20 * DAY)
    recent = await sessions.open(user, LAPTOP)
    house.manual.advance(20 * DAY)
    month_ago = house.clock.now() - timedelta(days=30)

    assert await house.db.write(forget_old, month_ago) == 1
    assert await house.db.write(forget_old, month_ago) == 0
    assert await house.why(recent.session_id) is None


async def test_what_breaks_a_promise_about_sessions_is_found(house: House) -> None:
    sessions, user = house.process(), await house.user()
    pair = await sessions.open(user, PHONE)
    assert await house.promises_are_kept()
    for damage in ({"expires_at": NOON + timedelta(days=91)}, {"end_reason": EndReason.LOST}):
        change = update(rows).where(rows.c.id == pair.session_id).values(**damage)
        await house.db.write(lambda conn, change=change: conn.execute(change))  # type: ignore[misc]

    broken = await house.db.read(check, INVARIANTS)
    assert [violation.invariant for violation in broken] == [promise.name for promise in INVARIANTS]
