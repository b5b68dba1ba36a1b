"""Attacks on access tokens over HTTP. Rows T of the attack table; tests/house/test_routes.py tries forged ones on every route."""

import json
from typing import Any

import jwt
import pytest

from support.customer import PASSWORD
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SHARED = {"keys": [{"kid": "2026", "secret": "vV3-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP"}]}


async def test_apps_that_share_a_key_do_not_share_users(stand_up: Any) -> None:
    """An operator may give both realms one key under one name: a token of the one still opens nothing of the other (T12)."""
    stand: Stand = await stand_up(storefront={"tokens": SHARED}, emoji={"tokens": SHARED, "poll_seconds": 0.1})
    customer, phone = await stand.customer(), await stand.phone()
    bearer = {"Authorization": f"Bearer {phone.token}"}
    secret = SHARED["keys"][0]["secret"]
    theirs = jwt.decode(phone.token, options={"verify_signature": False})
    dressed_up = jwt.encode(
        {**jwt.decode(customer.access, options={"verify_signature": False}), "sub": theirs["sub"]},
        secret,
        "HS256",
        jwt.get_unverified_header(customer.access),
    )
    assert (await customer.get("/auth/me", **bearer)).told == (401, 10015)
    assert (await customer.get("/auth/me", Authorization=f"Bearer {dressed_up}")).status == 401
    for token in (customer.access, customer.refresh):
        phone.token = token
        assert (await phone.call("GET", "/user/profile")).status in {401, 404}
        assert (await phone.call("GET", "/points/balance")).status == 401, token


async def test_whoever_is_blocked_is_out_at_once(stand: Stand) -> None:
    """Access and refresh token; only whoever knows the password or reads the mail learns why (T17)."""
    customer, other = await stand.customer(), await stand.customer()
    code = await customer.mail_code("login")
    (spec,) = [spec for spec in stand.host.specs if spec.name == "storefront"]
    assert spec.open_accounts is not None
    accounts = spec.open_accounts(stand.host.kernel)
    await accounts.block(int(customer.user["id"]))

    assert (await customer.get("/auth/me")).told == (401, 10014)
    assert (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).told == (401, 10014)
    login = {"email": customer.email, "password": "not this one"}
    assert (await other.post("/auth/login", login)).told == (401, 10006)
    assert (await other.post("/auth/login", login | {"password": PASSWORD})).told == (403, 10004)
    by_code = await other.post("/auth/email-verify-login", {"email": customer.email, "code": code})
    assert by_code.told == (403, 10004)
    assert (await other.get("/auth/me")).status == 200


async def test_a_token_is_only_good_where_it_belongs(stand: Stand) -> None:
    """In the header, once: not in the address, a cookie, the body or a form; and never for the other kind's work (T13, T14, T20)."""
    customer = await stand.customer()
    access, refresh, customer.access = customer.access, customer.refresh, ""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        await customer.get(f"/auth/me?access_token={access}"),
        await customer.get("/auth/me", Cookie=f"access_token={access}"),
        await customer.get("/auth/me", **{"Proxy-Authorization": f"Bearer {access}"}),
        await customer.call("POST", "/client/auth/logout", data=f"access_token={access}", headers=form),
        await customer.call("POST", "/client/auth/logout", json={"access_token": access}),
        await customer.get("/auth/me", Authorization=f"Bearer {refresh}"),
        await customer.post("/auth/refresh", {"refresh_token": access}),
    ]
    assert [answer.status for answer in answers] == [422, *[401] * 6]
    assert all(token not in json.dumps(answer.body) for answer in answers for token in (access, refresh))
    assert (await customer.get("/auth/me", Authorization=f"Bearer {access}")).status == 200
    assert (await customer.post("/auth/refresh", {"refresh_token": refresh})).status == 200


async def test_ten_tokens_of_one_user_end_together_and_apart(stand: Stand) -> None:
    """Each of ten sessions ends alone, and all at once when the owner says so (R11)."""
    first = await stand.customer()
    others = [await stand.stranger(first.email).login() for _ in range(9)]
    assert (await others[0].post("/auth/logout")).data is None
    assert [(await each.get("/auth/me")).status for each in (first, *others)] == [200, 401, *[200] * 8]
    assert (await first.call("DELETE", "/client/auth/sessions")).data is None
    assert [(await each.get("/auth/me")).status for each in (first, *others)] == [200, *[401] * 9]
    assert {(await each.post("/auth/refresh", {"refresh_token": each.refresh})).told for each in others} == {
        (401, 10014)
    }
