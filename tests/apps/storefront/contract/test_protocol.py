"""What every answer keeps to, right or wrong: the envelope, the language, the headers. Rows X and T of the attack table."""

import json
from typing import Any

import pytest

from support.customer import PASSWORD
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JSON = {"Content-Type": "application/json"}
LOGIN = {"email": "lin@example.com", "password": "a password of theirs"}


async def wrong_in_every_way(stand: Stand) -> dict[str, Any]:
    """An answer of each kind that a client can provoke."""
    anybody, customer = stand.stranger(), await stand.customer()

    async def login(body: bytes | str, **headers: str) -> Any:
        return await anybody.call("POST", "/client/auth/login", data=body, headers={**JSON, **headers})

    return {
        "path": await anybody.call("GET", "/client/nothing"),
        "method": await anybody.call("GET", "/client/auth/login"),
        "token": await anybody.get("/auth/me"),
        "json": await login("{"),
        "twice": await login('{"email":"a@b.cc","email":"a@b.cc","password":"x"}'),
        "deep": await login(b"[" * 60_000),
        "large": await login(b"x" * 100_000),
        "kind": await login(json.dumps(LOGIN), **{"Content-Type": "text/plain"}),
        "field": await login(json.dumps({**LOGIN, "email": 1})),
        "query": await customer.get("/auth/me?x=1"),
        "unknown": await customer.get("/order/status/none"),
    }


async def test_every_refusal_is_in_the_envelope(stand: Stand) -> None:
    """With its real status, a request id, its language, and nothing of what was sent (X01, X02)."""
    answers = await wrong_in_every_way(stand)

    assert {name: answer.told for name, answer in answers.items()} == {
        "path": (404, 10022),
        "method": (405, 10023),
        "token": (401, 10002),
        "json": (400, 10020),
        "twice": (400, 10020),
        "deep": (400, 10020),
        "large": (413, 10025),
        "kind": (415, 10026),
        "field": (422, 10001),
        "query": (422, 10001),
        "unknown": (404, 20001),
    }
    for name, answer in answers.items():
        assert set(answer.body) == {"code", "data", "msg"}, name
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Language"] == "en"
        assert set(answer.headers["Vary"].split(", ")) == {"Accept", "Accept-Language"}
        assert len(answer.headers["X-Request-ID"]) >= 8
        assert answer.headers["Cache-Control"] == "no-store"
        assert LOGIN["password"] not in json.dumps(answer.body)
    assert answers["method"].headers["Allow"] == "POST"
    assert answers["json"].body["data"]["reason"].startswith("The body is not valid JSON")


async def test_a_wrong_field_is_named_in_the_callers_language(stand: Stand) -> None:
    """Each one, by pydantic's name of the problem, never with its value (X02, §7)."""
    body = {"email": 7, "password": "", "nick": LOGIN["password"]}
    for language, texts in {
        "en": ["it must be a string", "it must have at least 8 characters", "there is no such field"],
        "zh-TW": ["必须是字符串", "至少需要 8 个字符", "没有这个字段"],
    }.items():
        answer = await stand.stranger(**{"Accept-Language": language}).post("/auth/register", body)
        errors = answer.body["data"]["errors"]
        assert [(error["field"], error["code"]) for error in errors] == [
            ("email", "string_type"),
            ("password", "string_too_short"),
            ("nick", "extra_forbidden"),
        ]
        assert [error["msg"] for error in errors] == texts
        assert answer.body["msg"].endswith(texts[0]) and answer.body["msg"].startswith("email")
        assert LOGIN["password"] not in json.dumps(answer.body)


@pytest.mark.parametrize(
    ("accept", "language"),
    [("zh-HK", "zh-CN"), ("*", "en"), ("en;q=abc", "en"), ("zh;q=0.9,en;q=0.8", "zh-CN"), ("de," * 2700 + "zh", "en")],
    ids=["zh-HK", "star", "nonsense", "weights", "8 kB"],
)
async def test_the_language_is_the_callers(stand: Stand, accept: str, language: str) -> None:
    answer = await stand.stranger(**{"Accept-Language": accept}).get("/auth/me")

    assert (answer.status, answer.headers["Content-Language"]) == (401, language)


async def test_problem_details_for_those_who_ask(stand: Stand) -> None:
    anybody = stand.stranger(Accept="application/problem+json, application/json")
    answer = await anybody.post("/auth/login", {**LOGIN, "email": 1}, **{"X-Request-ID": "my-own-request"})

    assert (answer.status, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert answer.body == {
        "type": "urn:hutong:storefront:10001",
        "title": "A field of the request is not valid.",
        "status": 422,
        "detail": "email: it must be a string",
        "instance": "/storefront/api/client/auth/login",
        "code": 10001,
        "name": "VALIDATION_ERROR",
        "request_id": "my-own-request",
        "errors": [{"field": "email", "code": "string_type", "msg": "it must be a string"}],
    }
    assert (await anybody.get("/product/list")).data["items"]


async def test_old_clients_read_the_code_only(stand_up: Any) -> None:
    """With `always_200` the same bodies come with 200, and a time to wait is still told."""
    stand: Stand = await stand_up(storefront={"always_200": True}, limits={"ip_per_minute": 40})
    answers = await wrong_in_every_way(stand)
    anybody = stand.stranger()

    assert {answer.status for answer in answers.values()} == {200}
    assert {answer.code for answer in answers.values()} == {10001, 10002, 10020, 10022, 10023, 10025, 10026, 20001}
    flood = [await anybody.get("/product/list") for _ in range(60)]
    assert (flood[-1].told, "Retry-After" in flood[-1].headers) == ((200, 10028), True)
    forged = await anybody.call("POST", "/payment/notify/wechat", data=b"{}")
    assert forged.status >= 400


async def test_odd_credentials_are_none(stand: Stand) -> None:
    """401 in the envelope, never 500 (T20, T21)."""
    customer = await stand.customer()
    token, customer.access = customer.access, ""
    odd: tuple[str, ...] = (
        "bearer",
        "Bearer ",
        "Basic x",
        "Token x",
        "Bearer" + token,
        "é",
        "Bearer é",
        f"Bearer {token} x",
        "Bearer " + "x" * 20_000,
    )
    for value in odd:
        answer = await customer.get("/auth/me", Authorization=value)
        assert answer.status == 401 and answer.code in {10002, 10015}, value[:30]
    for value in (f"bearer {token}", f"BEARER  {token}", f"Bearer {token} "):
        assert (await customer.get("/auth/me", Authorization=value)).status == 200, value[:10]

    twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
    async with stand.client.get(f"{stand.base}/storefront/api/client/auth/me", headers=twice) as reply:
        assert reply.status == 401


async def test_a_device_has_a_name_of_bounded_length(stand: Stand) -> None:
    customer = await stand.customer()
    for name in ("", " ", "x" * 129, "a\u200bb", "\u202ea"):
        answer = await customer.get("/auth/me", **{"X-Device-ID": name})
        assert answer.told == (422, 10001) and answer.body["data"]["errors"][0]["field"] == "X-Device-ID", repr(name)
    for name in ("x", "x" * 128, "小明的手机"):
        assert (await customer.get("/auth/me", **{"X-Device-ID": name})).status == 200


async def test_tokens_are_nobodys_to_keep(stand: Stand) -> None:
    """`no-store` on every answer that holds one (X06). That no log line holds one is tried on whole processes."""
    customer = await stand.customer()
    answers = [
        await customer.post("/auth/login", {"email": customer.email, "password": PASSWORD}),
        await customer.post("/auth/refresh", {"refresh_token": customer.refresh}),
    ]

    assert all(answer.headers["Cache-Control"] == "no-store" for answer in answers)


async def test_a_request_id_is_the_clients_own_if_it_is_harmless(stand: Stand) -> None:
    """Else a new one (contract "Server"). That the log line has it too is tried on whole processes."""
    answer = await stand.stranger().get("/product/list", **{"X-Request-ID": "from-the-client-1"})
    other = await stand.stranger().get("/product/list", **{"X-Request-ID": "evil id;"})

    assert answer.headers["X-Request-ID"] == "from-the-client-1"
    assert other.headers["X-Request-ID"] not in {"", "evil id;"}


async def test_a_foreign_page_is_shown_refusals_too(stand_up: Any) -> None:
    """The onion: what the edge itself refuses carries the headers without which a browser shows a page no answer (X04)."""
    stand: Stand = await stand_up(http={"cors_origins": ["https://shop.example.com"]}, limits={"ip_per_minute": 5})
    anybody = stand.stranger(Origin="https://shop.example.com")
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-Device-ID"}
    asked = await anybody.call("OPTIONS", "/client/auth/login", headers=preflight)
    refused = {
        answer.code: answer
        for answer in [
            await anybody.get("/auth/me"),
            await anybody.call("POST", "/client/auth/login", data=b"x" * 100_000, headers=JSON),
            *[await anybody.get("/product/list") for _ in range(10)],
        ]
    }

    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, "https://shop.example.com")
    assert "X-Device-ID" in asked.headers["Access-Control-Allow-Headers"] and "X-Request-ID" in asked.headers
    assert {10002, 10025, 10028} <= set(refused)
    for answer in refused.values():
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


async def test_a_defect_tells_nothing(stand: Stand) -> None:
    """A database without its tables: 500 in the envelope, no statement, no path, no stack (X03)."""
    customer = await stand.customer()
    await stand.host.kernel.db.write(lambda conn: conn.exec_driver_sql("ALTER TABLE orders RENAME TO elsewhere"))
    try:
        answer = await customer.get("/order/list")
    finally:
        await stand.host.kernel.db.write(lambda conn: conn.exec_driver_sql("ALTER TABLE elsewhere RENAME TO orders"))

    assert answer.told == (500, 10029)
    assert answer.body == {"code": 10029, "data": None, "msg": "Something went wrong on our side."}
