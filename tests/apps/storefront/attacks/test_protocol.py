"""Attacks on the protocol over HTTP: what is refused, how, and what is never said. Rows X of the attack table."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from hutong.host import migrations
from hutong.host.asgi import HostApp
from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from support.customer import PASSWORD, Customer
from support.http import Client, free_listener, http_client, listening
from support.production import PRODUCTION
from support.servers import mariadb
from support.stand import Stand, standing

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PROBLEM = "application/problem+json"
CANARY = "kanarienvogel"
AWAY = {"en": "The service is not ready", "zh-CN": "服务暂不可用"}
CLOSED = (
    *("/storefront/docs", "/storefront/openapi.json", "/storefront/redoc", "/docs", "/openapi.json", "/redoc"),
    *(
        "/sandbox/mail/",
        "/sandbox/mail/messages.json",
        "/sandbox/wechatpay/",
        "/sandbox/alipay/",
        "/sandbox/alipay/gateway.do",
    ),
    *("/sandbox/wechatpay/control/pay", "/sandbox/dashscope/", "/storefront/api/debug", "/storefront/api/admin"),
)
NEEDS_DATABASE: tuple[tuple[str, str, Mapping[str, Any] | None], ...] = (
    ("POST", "/auth/register", {"email": "new@example.com", "password": PASSWORD}),
    ("POST", "/auth/login", {"email": "new@example.com", "password": PASSWORD}),
    ("POST", "/auth/send-email-code", {"email": "new@example.com", "purpose": "login"}),
    ("POST", "/auth/email-verify-login", {"email": "new@example.com", "code": "123456"}),
    ("POST", "/auth/password/reset", {"email": "new@example.com", "code": "123456", "new_password": PASSWORD}),
    ("GET", "/auth/sessions", None),
    ("GET", "/order/list", None),
    ("GET", "/order/status/1", None),
    ("POST", "/order/cancel/1", None),
    ("POST", "/order/create", {"product_id": "credits-100", "channel": "alipay"}),
)


@ON_SQLITE
async def test_every_family_of_errors_has_problem_details(stand_up: Any) -> None:
    """400, 401, 404, 405, 409, 413, 415, 422, 429 and 503, in the language that was asked for (X02, RFC 9457)."""
    stand: Stand = await stand_up(auth={"calls_per_minute": 12})
    customer = await stand.customer(**{"Accept": PROBLEM, "Accept-Language": "zh-TW"})
    paid = await customer.order(channel="wechat")
    await customer.pay(paid)
    await customer.becomes(paid["order_no"], "PAID")
    anybody = stand.stranger(**customer.headers)
    head, login = {"Content-Type": "application/json"}, "/client/auth/login"
    await customer.press("wechat", "down")
    answers = [
        await anybody.call("POST", login, data="{", headers=head),
        await anybody.get("/auth/me"),
        await anybody.call("GET", "/client/nothing"),
        await anybody.call("DELETE", login),
        await customer.post(f"/order/cancel/{paid['order_no']}"),
        await anybody.call("POST", login, data=b"x" * 70_000, headers=head),
        await anybody.call("POST", login, data="{}", headers={"Content-Type": "text/plain"}),
        await anybody.post("/auth/login", {}),
        await customer.post("/order/create", {"product_id": "credits-100", "channel": "wechat"}),
        *[await anybody.post("/auth/login", {"email": f"a{number}@x.cc", "password": "x"}) for number in range(14)],
    ]
    problems = {answer.status: answer for answer in answers}

    assert set(problems) == {400, 401, 404, 405, 409, 413, 415, 422, 429, 503}
    for status, answer in problems.items():
        assert answer.headers["Content-Type"] == PROBLEM
        assert (answer.body["status"], answer.headers["Content-Language"]) == (status, "zh-CN")
        assert answer.body["request_id"] == answer.headers["X-Request-ID"]
        assert answer.body["type"] == f"urn:hutong:storefront:{answer.body['code']}"
        assert not answer.body["title"].isascii() and answer.body["instance"].startswith("/storefront/api/client/")
        assert ("Retry-After" in answer.headers) == (status in {429, 503}), answer.body
    await customer.press("wechat", "reset")


@ON_SQLITE
async def test_no_answer_repeats_what_was_sent(stand: Stand) -> None:
    """Each field of each body, given as everything that it is not, in both forms of refusal (§7)."""
    customer = await stand.customer()
    async with stand.client.get(f"{stand.base}/storefront/openapi.json") as answer:
        document = await answer.json()
    schemas = document["components"]["schemas"]
    odd: tuple[Any, ...] = (CANARY, [CANARY], {CANARY: CANARY}, CANARY * 1000, f"{CANARY}@{CANARY}")
    asked = 0
    for path, item in document["paths"].items():
        for method, way in item.items():
            content = way.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None or path.endswith("/logout"):
                continue
            text = json.dumps(content["schema"])
            name = text.rpartition("#/components/schemas/")[2].partition('"')[0]
            for field in schemas[name]["properties"]:
                for value in odd:
                    for accept in ("application/json", PROBLEM):
                        told = await customer.call(
                            method.upper(), path.removeprefix("/api"), json={field: value}, headers={"Accept": accept}
                        )
                        asked += 1
                        assert told.status in {400, 401, 404, 422, 429} or path.endswith("/me"), (
                            path,
                            field,
                            told.body,
                        )
                        assert told.status < 400 or CANARY not in json.dumps(told.body), (path, field, told.body)
    assert asked > 150
    long = await customer.post("/auth/login", {"x" * 20_000: 1})
    assert long.told == (422, 10001) and len(json.dumps(long.body)) < 2000


async def test_odd_places_in_a_path_are_places_where_nothing_is(stand: Stand) -> None:
    """NUL, bytes that are no text, SQL, another case, far too much: 404 from every database, never an error of the server."""
    customer = await stand.customer()
    order_no = (await customer.order(channel="wechat"))["order_no"]
    odd = (
        "%00",
        f"{order_no}%00",
        "%ff",
        "%ed%a0%80",
        "%f0%9f%98%80",
        "%27%20OR%201=1--",
        order_no.upper(),
        "9" * 50_000,
    )
    for place in (*odd, f"{order_no}%20", f"%20{order_no}", f"{order_no};x", f"{order_no}%0a", "..%2f..%2fauth%2fme"):
        for method, path in {"GET": "order/status", "POST": "order/cancel", "DELETE": "auth/sessions"}.items():
            url = URL(f"{stand.base}/storefront/api/client/{path}/{place}", encoded=True)
            bearer = {"Authorization": f"Bearer {customer.access}"}
            async with stand.client.request(method, url, headers=bearer) as answer:
                assert answer.status == 404, (method, path, place[:40])
                assert set(await answer.json()) == {"code", "data", "msg"}
    assert (await customer.status(order_no))["status"] == "PENDING"


@pytest.fixture
async def production(
    tmp_path: Path, sqlite_template: bytes, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Client, str]]:
    """A production API process in this loop, as its environment describes it."""
    (tmp_path / "hutong.db").write_bytes(sqlite_template)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(data=tmp_path, store_url=store_url)
    with free_listener() as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with listening(HostApp(Host(settings)), listener, lifespan="on"), http_client() as client:
            yield client, base


async def test_production_shows_nothing_of_itself(production: tuple[Client, str]) -> None:
    """No description, no sandbox, no button that pays, no channel that nobody set up, no method that echoes (X05)."""
    client, base = production
    for path in CLOSED:
        for method in ("GET", "POST"):
            async with client.request(method, base + path, allow_redirects=False) as answer:
                assert answer.status in {404, 405}, (method, path)
                assert "Server" not in answer.headers
    customer = await Customer(client, base, "lin@example.com").join()
    assert {tuple(item["channels"]) for item in (await customer.get("/product/list")).data["items"]} == {()}
    order = {"product_id": "credits-100", "channel": "alipay"}
    assert (await customer.post("/order/create", order)).told == (422, 21004)
    assert (await customer.call("POST", "/payment/notify/alipay", data=b"sign=x")).told == (404, 10022)
    traced = await customer.call("TRACE", "/client/auth/me")
    assert traced.told == (405, 10023) and customer.access not in json.dumps(traced.body)


@pytest.mark.server
@pytest.mark.slow
async def test_without_its_database_the_shop_says_when_to_come_again(tmp_path: Path, store_url: str) -> None:
    """503 with Retry-After in the contract's form and the caller's language, also where all is 200; and nothing is used up."""
    with mariadb() as server:
        url = server.create_database("away")
        await asyncio.to_thread(migrations.upgrade, load_settings(env="test", database_url=url))
        chosen = {"database_url": url, "store_url": store_url, "database": {"statement_seconds": 1}}
        old = {"data": tmp_path / "old", "storefront": {"always_200": True}}
        async with (
            standing({**chosen, "data": tmp_path / "new"}, worker=False) as new,
            standing({**chosen, **old}, worker=False) as always,
        ):
            customers = {503: await new.customer("new@example.com"), 200: await always.customer("old@example.com")}
            await asyncio.to_thread(server.stop)
            for status, customer in customers.items():
                await _is_told(customer, status)
            await asyncio.to_thread(server.start)
            for customer in customers.values():
                renewed = await customer.post("/auth/refresh", {"refresh_token": customer.refresh})
                assert renewed.told == (200, 10000)


async def _is_told(customer: Customer, status: int) -> None:
    for language, text in AWAY.items():
        calls = (*NEEDS_DATABASE, ("POST", "/auth/refresh", {"refresh_token": customer.refresh}))
        for method, path, body in calls:
            words = {"Accept-Language": language}
            answer = await customer.call(method, f"/client{path}", json=body, headers=words)
            assert answer.told == (status, 10031), (path, answer.body)
            assert set(answer.body) == {"code", "data", "msg"} and answer.body["msg"].startswith(text)
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Content-Language"] == language and len(answer.headers["X-Request-ID"]) >= 8
            assert int(answer.headers["Retry-After"]) == answer.body["data"]["retry_after"] >= 1
    assert (await customer.call("GET", "/system/health")).told == (503, 10031)
    asked = await customer.get("/order/list", Accept=PROBLEM)
    assert (asked.status, asked.headers["Content-Type"], asked.body["code"]) == (503, PROBLEM, 10031)
