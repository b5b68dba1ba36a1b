"""Attacks on sign-in over HTTP. Rows N of the attack table; the kernel's own tests have the rest."""

import asyncio
from typing import Any

import pytest

from hutong.kernel.audit import list_events
from support.customer import PASSWORD, Answer, Customer
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SPOOFED = ("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "Forwarded")
OWN_TO_A_REQUEST = {"X-Request-ID", "Date", "Retry-After"}
LOCKED = (429, 10007)
WRONG = "not the right one"


def seen(answer: Answer) -> Any:
    """All of an answer but what differs from request to request."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in OWN_TO_A_REQUEST)
    return answer.status, headers, answer.body


async def fail(customer: Customer, password: str = WRONG, **headers: str) -> Answer:
    return await customer.post("/auth/login", {"email": customer.email, "password": password}, **headers)


async def test_no_header_makes_somebody_another_caller(stand_up: Any) -> None:
    """Without a trusted proxy, the tries of one peer are counted together, whatever it writes about itself (N08)."""
    stand: Stand = await stand_up(auth={"client_lock_after_failures": 6})
    customer = await stand.customer()
    for number, name in enumerate(SPOOFED):
        value = f"for=198.51.100.{number}" if name == "Forwarded" else f"198.51.100.{number}"
        answer = await fail(stand.stranger(f"nobody{number}@example.com"), **{name: value})
        assert answer.told == (401, 10006), name
    answers = [
        await fail(stand.stranger(f"other{number}@example.com"), **{name: f"198.51.100.{number}"})
        for number, name in enumerate(SPOOFED)
    ]
    assert {answer.told for answer in answers} == {LOCKED}
    assert (await customer.get("/auth/me")).status == 200

    user = customer.user["id"]
    somebody = {"X-User-Id": user, "X-WeChat-OpenID": user, "X-Forwarded-User": user, "Remote-User": user}
    assert (await stand.stranger().get("/auth/me", **somebody)).told == (401, 10002)
    assert (
        await stand.stranger().get("/auth/me", Cookie=f"access_token={customer.access}; token={customer.access}")
    ).status == 401


async def test_behind_a_proxy_each_caller_is_their_own(stand_up: Any) -> None:
    """What the trusted proxy saw counts, not what its client wrote before that (N08; defect 10 of the origin)."""
    stand: Stand = await stand_up(auth={"client_lock_after_failures": 3}, http={"trusted_proxies": ["127.0.0.0/8"]})
    for number in range(3):
        await fail(stand.stranger(), **{"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7"})
    locked = await fail(stand.stranger(), **{"X-Forwarded-For": "203.0.113.99, ::ffff:198.51.100.7"})
    free = await fail(stand.stranger(), **{"X-Forwarded-For": "198.51.100.7, 198.51.100.8"})

    assert (locked.told, free.told) == (LOCKED, (401, 10006))


async def test_known_and_unknown_addresses_are_told_the_same(stand: Stand) -> None:
    """Every byte of body and headers, on every path that takes an address, up to the lock and behind it (N01 to N03, N16)."""
    language = "zh-HK"
    known = await stand.customer(**{"Accept-Language": language})
    by_code = stand.stranger(**{"Accept-Language": language})
    code = await by_code.mail_code("login")
    assert (await by_code.post("/auth/email-verify-login", {"email": by_code.email, "code": code})).status == 200
    unknown = stand.stranger(**{"Accept-Language": language})
    known.access = by_code.access = ""
    wrong = {"password": WRONG}
    reset = {"code": "000000", "new_password": "another long password"}
    calls: list[tuple[str, dict[str, str]]] = [
        ("/auth/send-email-code", {"purpose": "register"}),
        ("/auth/send-email-code", {"purpose": "reset"}),
        ("/auth/send-email-code", {"purpose": "reset"}),
        ("/auth/password/reset", reset),
        ("/auth/email-verify-login", {"code": "000000"}),
        *[("/auth/login", wrong)] * 6,
        ("/auth/login", {"password": PASSWORD}),
        *[("/auth/password/reset", reset)] * 6,
    ]
    statuses = []
    for path, body in calls:
        answers = [await each.post(path, {"email": each.email, **body}) for each in (known, by_code, unknown)]
        assert seen(answers[0]) == seen(answers[1]) == seen(answers[2]), (path, [answer.body for answer in answers])
        statuses.append(answers[0].told)
    assert {LOCKED, (401, 10006), (200, 10000)} <= set(statuses)
    register = [await each.register() for each in (known, by_code, stand.stranger(**{"Accept-Language": language}))]
    assert seen(register[0]) == seen(register[1]) == seen(register[2])


async def test_twenty_wrong_tries_at_once_are_five(stand: Stand) -> None:
    """And the right password among them does not get in beyond the limit (N05, N07)."""
    customer = await stand.customer()
    attacker = stand.stranger(customer.email)
    answers = await asyncio.gather(*(fail(attacker, f"guess number {number}") for number in range(20)))

    assert [answer.told for answer in answers].count((401, 10006)) == 5
    assert {answer.told for answer in answers} == {(401, 10006), LOCKED}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 429)
    assert (await fail(attacker, PASSWORD)).told == LOCKED


async def test_whoever_proves_an_address_has_it_alone(stand_up: Any) -> None:
    """An account was opened with somebody else's address and waits for them, with a password and a session: the first code
    that is read at the address, from elsewhere, ends both. Who registered and then signs in by code keeps both."""
    stand: Stand = await stand_up(http={"trusted_proxies": ["127.0.0.0/8"]})
    for number, keeps in {1: False, 2: True, 3: True}.items():
        email = f"somebody{number}@example.com"
        first = stand.stranger(email, **{"X-Device-ID": "one", "X-Forwarded-For": "198.51.100.1"})
        await first.join()
        device, address = {1: ("two", "198.51.100.2"), 2: ("one", "198.51.100.2"), 3: ("two", "198.51.100.1")}[number]
        second = stand.stranger(email, **{"X-Device-ID": device, "X-Forwarded-For": address})
        code = await second.mail_code("login")
        second.keep((await second.post("/auth/email-verify-login", {"email": email, "code": code})).data)

        events = await stand.host.kernel.db.read(list_events, "storefront", int(second.user["id"]))
        assert ("account.taken_back" in [event.kind for event in events]) != keeps
        assert (await first.get("/auth/me")).told == ((200, 10000) if keeps else (401, 10014))
        assert (await fail(first, PASSWORD)).told == ((200, 10000) if keeps else (401, 10006))
        renewed = await first.post("/auth/refresh", {"refresh_token": first.refresh})
        assert renewed.told == ((200, 10000) if keeps else (401, 10014))
        assert (await second.get("/auth/me")).status == 200
        if not keeps:
            assert await second.mail("password")
