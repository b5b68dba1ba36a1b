"""Attacks on the rotation of tokens over HTTP. Rows R and T of the attack table; the kernel's own tests have the rest."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hutong.kernel.audit import list_events
from support.customer import PASSWORD, Customer
from support.deadlines import until
from support.servers import Redis, redis
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OVER = {(401, 10014), (401, 10016)}


async def renew(customer: Customer, token: str) -> Any:
    return await customer.post("/auth/refresh", {"refresh_token": token})


async def alive(customer: Customer, *pairs: Any) -> list[str]:
    """Which of these tokens still open something; asking uses them up."""
    found = []
    for number, pair in enumerate(pairs):
        for name, answer in {
            "access": await customer.get("/auth/me", Authorization=f"Bearer {pair['access_token']}"),
            "refresh": await renew(customer, pair["refresh_token"]),
        }.items():
            assert answer.status in {200, 401}, answer.body
            found += [f"{name} {number}"] if answer.status == 200 else []
    return found


def pair_of(customer: Customer) -> dict[str, str]:
    return {"access_token": customer.access, "refresh_token": customer.refresh}


async def test_a_predecessor_does_not_outlive_its_session(stand: Stand) -> None:
    """Inside the grace window it still answers, but not after a logout, a new password or the end of the device."""
    for ending in ("logout", "logout all", "device", "password"):
        customer = await stand.customer()
        first = pair_of(customer)
        customer.keep((await renew(customer, customer.refresh)).data)
        second = pair_of(customer)
        other = await stand.stranger(customer.email).login()
        if ending == "device":
            (mine,) = [item["id"] for item in (await customer.get("/auth/sessions")).data["items"] if item["current"]]
            assert (await other.call("DELETE", f"/client/auth/sessions/{mine}")).data is None
        elif ending == "password":
            body = {"old_password": PASSWORD, "new_password": "another long password"}
            assert (await other.post("/auth/password/change", body)).data is None
        else:
            assert (await customer.post("/auth/logout", {"all": ending == "logout all"})).data is None

        assert await alive(customer, first, second) == [], ending
        assert (await other.get("/auth/me")).status == (401 if ending == "logout all" else 200), ending


async def test_renewed_and_signed_out_at_once_leaves_nothing_alive(stand: Stand) -> None:
    """Whichever comes first: no token that a renewal hands out survives the logout that was answered (T18)."""
    for number in range(8):
        customer = await stand.customer()
        before = pair_of(customer)
        calls = [renew(customer, customer.refresh) for _ in range(3)]
        calls.insert(number % 4, customer.post("/auth/logout", {"all": number % 2 == 1}))
        answers = await asyncio.gather(*calls)
        out = answers.pop(number % 4)
        assert out.status in {200, 401}
        pairs = [answer.data for answer in answers if answer.status == 200]
        if out.status == 401:  # the renewal was first: its access token took the place of the one that asked to go
            customer.keep(pairs[0])
            assert (await customer.post("/auth/logout")).status == 200

        assert await alive(customer, before, *pairs) == []


async def test_a_client_that_lost_the_answer_is_told_after_the_grace(stand_up: Any) -> None:
    """It comes back later with its old token: the session ends with it, an event says so, and a new sign-in works (R06)."""
    stand: Stand = await stand_up(storefront={"sessions": {"grace_seconds": 0}})
    customer = await stand.customer()
    other = await stand.stranger(customer.email).login()
    lost = (await renew(customer, customer.refresh)).data

    told = await renew(customer, customer.refresh)
    events = await stand.host.kernel.db.read(list_events, "storefront", int(customer.user["id"]))
    assert told.told == (401, 10016)
    assert [event.kind for event in events].count("session.reuse_detected") == 1
    assert await alive(customer, lost) == []
    assert (await other.get("/auth/me")).status == 200
    assert (await customer.login()).user["email"] == customer.email


async def test_an_ancestor_ends_the_family(stand: Stand) -> None:
    """Every ancestor but the direct predecessor ends the session; what hangs on it then is dead, too (R04, R05)."""
    customer = await stand.customer()
    chain = [pair_of(customer)]
    for _ in range(5):
        chain.append((await renew(customer, chain[-1]["refresh_token"])).data)

    assert (await renew(customer, chain[-2]["refresh_token"])).data["refresh_token"] == chain[-1]["refresh_token"]
    assert (await renew(customer, chain[1]["refresh_token"])).told == (401, 10016)
    assert await alive(customer, *chain) == []


@pytest.fixture
def own_store() -> Iterator[Redis]:
    """A store of this test's own."""
    with redis(durable=True) as server:
        yield server


async def test_a_store_that_forgot_lets_nobody_in_and_everybody_sign_in_again(stand_up: Any, own_store: Redis) -> None:
    """FLUSHALL while signed in: 401 for the living and the dead, and a sign-in is as good as before."""
    stand: Stand = await stand_up(store_url=own_store.store_url)
    customer, gone = await stand.customer(), await stand.customer()
    ended = pair_of(gone)
    assert (await gone.post("/auth/logout")).data is None
    kept = pair_of(customer)
    own_store.flush()

    assert (await customer.get("/auth/me")).told == (401, 10014)
    assert (await renew(customer, kept["refresh_token"])).told in OVER
    assert await alive(customer, ended, kept) == []
    assert (await (await customer.login()).get("/auth/me")).status == 200
    assert await alive(customer, ended, kept) == []


async def test_a_store_from_yesterday_brings_nothing_back(stand_up: Any, own_store: Redis) -> None:
    """Restarted with less than it knew, it believes that ended sessions live: SQL knows better, at the first call."""
    stand: Stand = await stand_up(store_url=own_store.store_url)
    customer, changed, kept = await stand.customer(), await stand.customer(), await stand.customer()
    ended, rotated = pair_of(customer), pair_of(changed)
    own_store.keep_a_copy()
    await until(lambda: _is_in(customer))
    assert (await changed.get("/auth/me")).status == (await kept.get("/auth/me")).status == 200
    assert (await customer.post("/auth/logout")).data is None
    assert (await renew(changed, rotated["refresh_token"])).status == 200

    own_store.come_back_older()
    await until(lambda: _is_in(kept))
    assert await alive(customer, ended) == []
    assert await alive(changed, rotated) == []


async def _is_in(customer: Customer) -> bool:
    return (await customer.get("/auth/me")).status == 200
