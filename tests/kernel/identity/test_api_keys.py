"""API keys: shown once, kept as a digest, refused everywhere within seconds of their end."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import text

from hutong.kernel import audit
from hutong.kernel.db import Connection, Database, DatabaseUnavailable
from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.http.limits import Limit, Limiter, LimitExceeded
from hutong.kernel.identity import ApiKey, ApiKeyChecks, ApiKeys
from hutong.kernel.identity.api_keys import checked, digest_of, forget_revoked, new_secret
from hutong.kernel.identity.errors import (
    ApiKeyExpired,
    ApiKeyExpiryInvalid,
    ApiKeyInvalid,
    ApiKeyMalformed,
    ApiKeyNameInvalid,
    ApiKeysFull,
)
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
USER, HERE = 42, "10.0.0.1"
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class WatchedKeys(ApiKeys):
    """Knows how often SQL was asked, and can be cut off from it."""

    asked, cut = 0, False

    def find(self, conn: Connection, digest: str) -> ApiKey | None:
        self.asked += 1
        if self.cut:
            raise DatabaseUnavailable
        return super().find(conn, digest)


class Keys:
    """Keys of one realm, and processes that check them."""

    def __init__(self, db: Database, store: Store, most: int = 5) -> None:
        self.db, self.store, self.clock = db, store, ManualClock(NOON)
        self.rows = WatchedKeys("chat", count(1).__next__, self.clock, most)

    def process(self) -> ApiKeyChecks:
        limiter = Limiter(self.store, self.clock)
        failures = FailureLimit(Limit("keys", 3), limiter, self.store, self.clock)
        return ApiKeyChecks(self.rows, self.db, failures, self.clock)

    async def make(
        self, name: str = "laptop", expires_at: datetime | None = None, user: int = USER
    ) -> tuple[ApiKey, str]:
        return await self.db.write(self.rows.create, user, name, expires_at)

    async def revoke(self, key: ApiKey, user: int = USER) -> bool:
        return await self.db.write(self.rows.revoke, user, key.id)

    async def list(self) -> list[ApiKey]:
        return await self.db.read(self.rows.list, USER)


@pytest.fixture
def keys(db: Database, store: Store) -> Keys:
    return Keys(db, store)


# Form


def test_a_key_has_256_random_bits_and_digits_that_check_them() -> None:
    made = {new_secret() for _ in range(200)}

    assert len(made) == 200
    assert all(re.fullmatch(r"hk-[0-9A-Za-z]{49}", secret) for secret in made)
    assert all(checked(secret) == digest_of(secret) for secret in made)


def _typos(secret: str) -> list[str]:
    wrong = [secret[:at] + ("x" if secret[at] != "x" else "y") + secret[at + 1 :] for at in range(len(secret))]
    swapped = [secret[:at] + secret[at + 1] + secret[at] + secret[at + 2 :] for at in range(3, len(secret) - 1)]
    return [one for one in (*wrong, *swapped, secret[:-1], secret + "0", f" {secret}", secret.lower()) if one != secret]


@pytest.mark.parametrize("noise", ["", "hk-", "sk-live", "hk-" + "é" * 49, "hk-" + "\ud800" * 49, "hk-" + "0" * 49])
def test_what_is_no_key_is_told_without_asking_anybody(noise: str) -> None:
    for wrong in (noise, *_typos(new_secret())):
        with pytest.raises(ApiKeyMalformed):
            checked(wrong)


# Rows


async def test_a_key_is_shown_once_and_kept_as_a_digest(keys: Keys) -> None:
    key, secret = await keys.make("  laptop ")
    rows = await keys.db.read(lambda conn: conn.execute(text("SELECT * FROM api_keys")).mappings().all())

    assert (key.name, key.prefix, key.last_four, key.user_id) == ("laptop", secret[:7], secret[-4:], USER)
    assert await keys.list() == [key]
    assert rows[0]["digest"] == digest_of(secret)
    assert secret not in str(rows)
    assert secret[7:-4] not in str(rows)


async def test_making_and_revoking_leave_audit_events(keys: Keys) -> None:
    key, secret = await keys.make()
    await keys.revoke(key)
    events = await keys.db.read(audit.list_events, "chat", USER)

    assert [event.kind for event in events] == ["api_key.revoked", "api_key.created"]
    assert {event.details["key_id"] for event in events} == {str(key.id)}
    assert digest_of(secret) not in str(events)


async def test_of_many_made_at_once_no_more_than_allowed_come_about(keys: Keys) -> None:
    made = await asyncio.gather(*(keys.make(str(number)) for number in range(12)), return_exceptions=True)

    assert sum(isinstance(one, ApiKeysFull) for one in made) == 7
    assert len(await keys.list()) == 5
    await keys.make(user=43)


async def test_a_revoked_or_expired_key_makes_room(keys: Keys) -> None:
    made = [(await keys.make(str(number)))[0] for number in range(4)]
    late, _ = await keys.make("late", keys.clock.now() + timedelta(hours=1))
    with pytest.raises(ApiKeysFull):
        await keys.make()
    await keys.revoke(made[0])
    await keys.make("fifth")
    with pytest.raises(ApiKeysFull):
        await keys.make()
    keys.clock.advance(3600)
    newest, _ = await keys.make("sixth")

    assert (await keys.list())[0] == newest
    assert late in await keys.list()
    assert made[0] not in await keys.list()


async def test_only_the_owner_revokes_and_only_once(keys: Keys) -> None:
    key, _ = await keys.make()

    assert not await keys.revoke(key, user=43)
    assert [await keys.revoke(key), await keys.revoke(key)] == [True, False]
    assert await keys.list() == []


async def test_all_keys_of_a_user_end_together(keys: Keys) -> None:
    (_, first), (_, second), (_, other) = await keys.make(), await keys.make(), await keys.make(user=43)
    await keys.db.write(keys.rows.revoke_all, USER)
    found = [await keys.db.read(keys.rows.find, digest_of(secret)) for secret in (first, second, other)]

    assert [key is None for key in found] == [True, True, False]


async def test_keys_that_ended_long_ago_are_forgotten(keys: Keys) -> None:
    (revoked, _), (kept, _) = await keys.make(), await keys.make()
    await keys.make(expires_at=keys.clock.now() + timedelta(seconds=1))
    await keys.revoke(revoked)
    await keys.db.write(forget_revoked, NOON)
    before = await keys.db.read(lambda conn: conn.execute(text("SELECT id FROM api_keys")).scalars().all())
    await keys.db.write(forget_revoked, NOON + timedelta(days=1))

    assert len(before) == 3
    assert await keys.list() == [kept]


@one_database
async def test_names_are_printable_and_ends_lie_ahead(keys: Keys) -> None:
    for name in ("", "  ", "x" * 65, "a\nb", "a\x00", "\u202eabc"):
        with pytest.raises(ApiKeyNameInvalid):
            await keys.make(name)
    with pytest.raises(ApiKeyExpiryInvalid):
        await keys.make(expires_at=NOON)
    assert await keys.list() == []


# Who calls


async def test_a_key_is_its_user(keys: Keys) -> None:
    key, secret = await keys.make()
    found = await keys.process().verify(secret, HERE)

    assert (found.id, found.user_id) == (key.id, USER)


@one_database
async def test_a_key_of_another_realm_is_none_here(keys: Keys) -> None:
    elsewhere = ApiKeys("album", count(100).__next__, keys.clock)
    _, secret = await keys.db.write(elsewhere.create, USER, "laptop")
    with pytest.raises(ApiKeyInvalid):
        await keys.process().verify(secret, HERE)


@one_database
async def test_a_revoked_key_is_refused_by_every_process_within_five_seconds(keys: Keys) -> None:
    """By the one that dropped its copy at once."""
    key, secret = await keys.make()
    here, there = keys.process(), keys.process()
    for process in (here, there):
        await process.verify(secret, HERE)
    keys.clock.advance(3)
    await there.verify(secret, HERE)
    await keys.revoke(key)
    here.forget(key.id)
    with pytest.raises(ApiKeyInvalid):
        await here.verify(secret, HERE)
    await there.verify(secret, HERE)
    keys.clock.advance(2)
    with pytest.raises(ApiKeyInvalid):
        await there.verify(secret, HERE)


@one_database
async def test_an_expired_key_is_refused_though_a_copy_is_fresh(keys: Keys) -> None:
    _, secret = await keys.make(expires_at=keys.clock.now() + timedelta(seconds=2))
    process = keys.process()
    await process.verify(secret, HERE)
    keys.clock.advance(2)
    with pytest.raises(ApiKeyExpired):
        await process.verify(secret, HERE)


@one_database
async def test_a_copy_serves_while_the_database_is_away(keys: Keys) -> None:
    """And no longer than five seconds; an unknown key is not refused for it."""
    _, secret = await keys.make()
    process = keys.process()
    await process.verify(secret, HERE)
    keys.rows.cut = True
    await process.verify(secret, HERE)
    keys.clock.advance(5)
    with pytest.raises(DatabaseUnavailable):
        await process.verify(secret, HERE)


async def test_use_is_noted_once_a_minute_of_all_processes(keys: Keys) -> None:
    _, secret = await keys.make()
    first, second = keys.process(), keys.process()

    async def noted(*, after: float, by: ApiKeyChecks) -> datetime | None:
        keys.clock.advance(after)
        await by.verify(secret, HERE)
        return (await keys.list())[0].last_used_at

    assert await noted(after=0, by=first) == NOON
    assert await noted(after=1, by=first) == NOON
    assert await noted(after=9, by=second) == NOON
    assert await noted(after=45, by=second) == NOON
    assert await noted(after=6, by=first) == NOON + timedelta(seconds=61)
    assert await noted(after=1, by=second) == NOON + timedelta(seconds=61)


@one_database
@pytest.mark.parametrize("wrong", [new_secret, lambda: "hk-typo"], ids=["unknown", "mistyped"])
async def test_an_address_with_too_many_refused_keys_is_closed_for_a_while(
    keys: Keys, wrong: Callable[[], str]
) -> None:
    """For unknown keys; those that were good a moment ago go on, and so do other addresses."""
    (_, secret), (_, unseen) = await keys.make(), await keys.make()
    process = keys.process()
    await process.verify(secret, HERE)
    for _ in range(4):
        with pytest.raises(ApiKeyInvalid):
            await process.verify(wrong(), HERE)
    with pytest.raises(LimitExceeded):
        await process.verify(wrong(), HERE)
    with pytest.raises(LimitExceeded):
        await process.verify(unseen, HERE)
    keys.clock.advance(6)
    await process.verify(secret, HERE)
    await process.verify(unseen, "10.0.0.2")
    with pytest.raises(ApiKeyInvalid):
        await process.verify(wrong(), "10.0.0.2")


@one_database
async def test_many_at_once_ask_once(keys: Keys) -> None:
    _, secret = await keys.make()
    process = keys.process()
    found = await asyncio.gather(*(process.verify(secret, HERE) for _ in range(50)))

    assert len(found) == 50
    assert keys.rows.asked == 1
