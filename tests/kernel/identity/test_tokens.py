"""Signed tokens: which keys count, which tokens are refused, and how a user's tokens are ended."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from hutong.kernel.db import Database
from hutong.kernel.http.limits import Limit, Limiter, LimitExceeded
from hutong.kernel.identity import Identity, RealmPolicy, TokenExpired, TokenInvalid, TokenRealm
from hutong.kernel.identity.epochs import CACHE_SECONDS, NEVER, Epochs
from hutong.kernel.identity.errors import UserBlocked
from hutong.kernel.settings import SigningKey
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
USER = 7_301_000_000_000_001
KEYS = {kid: SigningKey(kid=kid, secret=SecretStr(f"{kid}-{'kV7mQ2xP9' * 8}")) for kid in ("2025", "2026", "2027")}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def realm(clock: ManualClock, *kids: str) -> TokenRealm:
    return TokenRealm([KEYS[kid] for kid in kids], clock, WEEK)


def _encoded(part: Any) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def forged(header: Mapping[str, Any], claims: Mapping[str, Any] | None = None, *, key: str = "2026") -> str:
    """A token with this header, signed with a key that the realm knows, whatever the header says of it."""
    now = int(NOON.timestamp())
    content = {"sub": str(USER), "iat": now, "exp": now + 3600, "type": "access", **(claims or {})}
    signed = f"{_encoded(dict(header))}.{_encoded(content)}"
    secret = KEYS[key].secret.get_secret_value().encode()
    algorithm = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(str(header.get("alg")), hashlib.sha256)
    signature = b"" if header.get("alg") == "none" else hmac.new(secret, signed.encode(), algorithm).digest()
    return f"{signed}.{_encoded(signature)}"


# Keys come and go


def test_the_newest_key_signs(clock: ManualClock) -> None:
    token, expires = realm(clock, "2025", "2026").issue(USER)

    assert _decoded(token.split(".")[0])["kid"] == "2026"
    assert expires == NOON + WEEK


def test_a_token_of_the_previous_key_is_good_while_that_key_is_listed(clock: ManualClock) -> None:
    old, _ = realm(clock, "2025").issue(USER)

    assert realm(clock, "2025", "2026").verify(old).user_id == USER
    with pytest.raises(TokenInvalid):
        realm(clock, "2026").verify(old)


def test_adding_a_key_ends_no_token_and_removing_it_ends_its_own_only(clock: ManualClock) -> None:
    tokens = {kid: realm(clock, kid).issue(USER)[0] for kid in KEYS}
    after = realm(clock, "2026", "2027")

    assert after.verify(tokens["2026"]) == after.verify(tokens["2027"])
    with pytest.raises(TokenInvalid):
        after.verify(tokens["2025"])


def test_a_key_under_another_keys_name_does_not_count(clock: ManualClock) -> None:
    with pytest.raises(TokenInvalid):
        realm(clock, "2025", "2026").verify(forged({"alg": "HS256", "kid": "2026"}, key="2025"))


# What is refused


def test_the_forger_of_these_tests_can_write_a_good_token(clock: ManualClock) -> None:
    assert realm(clock, "2026").verify(forged({"alg": "HS256", "kid": "2026"})).user_id == USER


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "kid": "2099"},
        {"alg": "HS256"},
        {"alg": "HS256", "kid": None},
        {"alg": "HS256", "kid": ["2026"]},
        {"alg": "HS256", "kid": "../../secrets/realm-emoji"},
        {"alg": "none", "kid": "2026"},
        {"alg": "None", "kid": "2026"},
        {"alg": "HS384", "kid": "2026"},
        {"alg": "HS512", "kid": "2026"},
        {"alg": "RS256", "kid": "2026"},
        {"alg": "hs256", "kid": "2026"},
        {"kid": "2026"},
    ],
    ids=json.dumps,
)
def test_a_token_with_another_header_is_refused(clock: ManualClock, header: dict[str, Any]) -> None:
    """Unknown keys, no key, no signature, another algorithm: the header never decides how it is checked."""
    with pytest.raises(TokenInvalid):
        realm(clock, "2025", "2026").verify(forged(header))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": USER},
        {"sub": "me"},
        {"sub": ""},
        {"sub": None},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"iat": int(NOON.timestamp()) + 3600},
        {"iat": None},
        {"type": None},
        {"type": "refresh"},
    ],
    ids=json.dumps,
)
def test_a_well_signed_token_with_odd_claims_is_refused(clock: ManualClock, claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        realm(clock, "2026").verify(forged({"alg": "HS256", "kid": "2026"}, claims))


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "type"])
def test_a_token_without_a_claim_is_refused(clock: ManualClock, claim: str) -> None:
    head, _, _ = forged({"alg": "HS256", "kid": "2026"}).split(".")
    content = {"sub": str(USER), "iat": 1, "exp": 2**40, "type": "access"}
    del content[claim]
    signed = f"{head}.{_encoded(content)}"
    signature = hmac.new(KEYS["2026"].secret.get_secret_value().encode(), signed.encode(), hashlib.sha256).digest()

    with pytest.raises(TokenInvalid):
        realm(clock, "2026").verify(f"{signed}.{_encoded(signature)}")


@pytest.mark.parametrize("spoil", [str.upper, lambda text: text[:-4], lambda text: text + "AAAA", lambda text: ""])
def test_a_spoilt_signature_is_refused_before_and_after_the_good_one_was_seen(
    clock: ManualClock, spoil: Callable[[str], str]
) -> None:
    tokens = realm(clock, "2026")
    token, _ = tokens.issue(USER)
    head, body, signature = token.split(".")
    spoilt = f"{head}.{body}.{spoil(signature)}"

    for _ in range(2):
        with pytest.raises(TokenInvalid):
            tokens.verify(spoilt)
        assert tokens.verify(token).user_id == USER


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.é.é", "x" * 3000, "\x00" * 40])
def test_nonsense_is_refused(clock: ManualClock, text: str) -> None:
    with pytest.raises(TokenInvalid):
        realm(clock, "2026").verify(text)


def test_expiry_counts_for_a_token_that_was_verified_before(clock: ManualClock) -> None:
    tokens = realm(clock, "2026")
    token, _ = tokens.issue(USER)
    tokens.verify(token)
    clock.advance(WEEK.total_seconds() - 1)
    tokens.verify(token)
    clock.advance(1)

    for _ in range(2):
        with pytest.raises(TokenExpired):
            tokens.verify(token)


# Epochs


def identity_of(db: Database, store: Store, clock: ManualClock, *kids: str) -> Identity:
    """Identity as another process would have it: with its own memory of tokens, over the same rows and store."""
    numbers = itertools.count(USER)
    policy = RealmPolicy("emoji", lambda conn, user: None)
    return Identity(policy, realm(clock, *kids), db, Epochs(db, store), lambda: next(numbers), clock)


async def test_ended_tokens_are_refused_in_every_process_and_new_ones_are_good(
    db: Database, store: Store, clock: ManualClock
) -> None:
    here, there = identity_of(db, store, clock, "2026"), identity_of(db, store, clock, "2026")
    user, token = await here.sign_in_device("device-0001")
    assert (await here.verify(token)).user_id == (await there.verify(token)).user_id == user.id

    await here.end_tokens(user.id)

    for process in (here, there):
        with pytest.raises(TokenInvalid):
            await process.verify(token)
    clock.advance(2)
    assert (await there.verify(here.issue(user.id))).user_id == user.id


async def test_ending_ones_tokens_ends_nobody_elses(db: Database, store: Store, clock: ManualClock) -> None:
    identity = identity_of(db, store, clock, "2026")
    user, _ = await identity.sign_in_device("device-0001")
    other, token = await identity.sign_in_device("device-0002")

    await identity.end_tokens(user.id)

    assert (await identity.verify(token)).user_id == other.id


async def test_the_end_of_tokens_survives_a_lost_store(
    db: Database, store: Store, clock: ManualClock, redis_server: Any
) -> None:
    """The store is only a cache of the epoch: flushed, or with an outdated copy that runs out, SQL decides."""
    identity = identity_of(db, store, clock, "2026")
    user, token = await identity.sign_in_device("device-0001")
    await identity.end_tokens(user.id)
    redis_server.flush()

    with pytest.raises(TokenInvalid):
        await identity.verify(token)


async def test_epochs_live_in_the_store_for_a_minute_at_most(db: Database, store: Store, clock: ManualClock) -> None:
    identity = identity_of(db, store, clock, "2026")
    user, token = await identity.sign_in_device("device-0001")
    await identity.verify(token)

    assert await store.get(f"epoch:emoji:{{{user.id}}}") == str(int(NOON.timestamp())).encode()
    assert CACHE_SECONDS <= 60


async def test_a_request_is_admitted_and_counted_whether_the_store_knows_the_epoch_or_not(
    db: Database, store: Store, clock: ManualClock
) -> None:
    """The first is verified against SQL, the second by the store alone; both count, and the third is one too many."""
    identity, limiter, limit = identity_of(db, store, clock, "2026"), Limiter(store, clock), Limit("user", 2)
    user, token = await identity.sign_in_device("device-0001")

    assert await store.get(f"epoch:emoji:{{{user.id}}}") is None
    for _ in range(2):
        assert (await identity.admit(token, limiter, limit)).user_id == user.id
    with pytest.raises(LimitExceeded):
        await identity.admit(token, limiter, limit)


async def test_an_ended_token_uses_up_nobodys_limit(db: Database, store: Store, clock: ManualClock) -> None:
    """Whoever holds a stolen token that was ended cannot lock out its owner by asking again and again."""
    identity, limiter, limit = identity_of(db, store, clock, "2026"), Limiter(store, clock), Limit("user", 2)
    user, stolen = await identity.sign_in_device("device-0001")
    await identity.admit(stolen, limiter, limit)
    await identity.end_tokens(user.id)
    clock.advance(5)
    for _ in range(10):
        with pytest.raises(TokenInvalid):
            await identity.admit(stolen, limiter, limit)

    assert (await identity.admit(identity.issue(user.id), limiter, limit)).user_id == user.id


async def test_without_a_store_a_request_is_admitted_by_sql_and_counted_here(db: Database, clock: ManualClock) -> None:
    away = Store("redis://127.0.0.1:1/0")
    identity, limiter, limit = identity_of(db, away, clock, "2026"), Limiter(away, clock), Limit("user", 2)
    user, token = await identity.sign_in_device("device-0001")

    for _ in range(2):
        assert (await identity.admit(token, limiter, limit)).user_id == user.id
    with pytest.raises(LimitExceeded):
        await identity.admit(token, limiter, limit)
    await identity.end_tokens(user.id)
    with pytest.raises(TokenInvalid):
        await identity.admit(token, limiter, limit)
    await away.close()


async def test_a_blocked_users_tokens_end_and_they_cannot_sign_in(
    db: Database, store: Store, clock: ManualClock
) -> None:
    identity = identity_of(db, store, clock, "2026")
    user, token = await identity.sign_in_device("device-0001")

    await identity.block(user.id)

    with pytest.raises(TokenInvalid):
        await identity.verify(token)
    with pytest.raises(UserBlocked):
        await identity.sign_in_device("device-0001")
    clock.advance(3600)
    with pytest.raises(TokenInvalid):
        await identity.verify(identity.issue(user.id))


async def test_a_good_signature_for_nobody_is_refused(db: Database, store: Store, clock: ManualClock) -> None:
    identity = identity_of(db, store, clock, "2026")

    with pytest.raises(TokenInvalid):
        await identity.verify(identity.issue(USER + 1))
    assert await Epochs(db, store).valid_from("emoji", USER + 1) == NEVER


async def test_a_user_of_another_realm_is_nobody_here(db: Database, store: Store, clock: ManualClock) -> None:
    identity = identity_of(db, store, clock, "2026")
    user, _ = await identity.sign_in_device("device-0001")

    assert await Epochs(db, store).valid_from("emoji", user.id) == int(NOON.timestamp())
    assert await Epochs(db, store).valid_from("chat", user.id) == NEVER


async def test_rotation_keeps_everybody_signed_in(db: Database, store: Store, clock: ManualClock) -> None:
    """The runbook's three steps: add the new key, wait for a token's lifetime, remove the old one."""
    user, old = await identity_of(db, store, clock, "2026").sign_in_device("device-0001")
    during = identity_of(db, store, clock, "2026", "2027")
    clock.advance(10)
    new = during.issue((await during.verify(old)).user_id)
    after = identity_of(db, store, clock, "2027")

    assert (await after.verify(new)).user_id == user.id
    with pytest.raises(TokenInvalid):
        await after.verify(old)
