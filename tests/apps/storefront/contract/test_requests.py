"""One test for each row of the contract's table of endpoints: what is sent, what is answered, what is refused."""

from typing import Any

import pytest

from support.customer import PASSWORD
from support.servers import redis
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
USER = {"id", "email", "nickname", "language", "login_count", "last_login_at", "created_at"}
TOKENS = {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
ORDER = {
    *("order_no", "status", "product_id", "name", "quantity", "amount", "currency", "channel", "refunded"),
    *("created_at", "expires_at", "paid_at", "fulfilled_at", "pay"),
}


def problem(field: str, code: str) -> Any:
    """The fields of an answer that names one."""

    class Like:
        def __eq__(self, other: object) -> bool:
            assert isinstance(other, dict)
            (found,) = other["errors"]
            return (found["field"], found["code"]) == (field, code) and bool(found["msg"])

        def __hash__(self) -> int:
            return 0

    return Like()


# /api/client/auth


async def test_register(stand: Stand) -> None:
    """A known address is answered like a new one, and its owner is told by mail."""
    new = stand.stranger("lin@example.com")
    first = await new.register(nickname="Lin")
    again = await stand.stranger("lin@example.com").register(nickname="Other")

    assert (
        (first.status, first.body)
        == (again.status, again.body)
        == (200, {"code": 10000, "data": None, "msg": "success"})
    )
    assert (await new.login()).user["nickname"] == "Lin"
    assert (await new.mail("already"))["subject"]
    for body, expected in {
        ("lin@example.com", "short"): problem("password", "string_too_short"),
        ("no address", PASSWORD): problem("email", "email_invalid"),
    }.items():
        reply = await stand.stranger(body[0]).register(body[1])
        assert reply.told == (422, 10001) and reply.body["data"] == expected
    assert (await stand.stranger().register("password123")).told == (422, 10017)
    assert (await stand.stranger().register("x" * 300)).body["data"] == problem("password", "string_too_long")
    assert (await stand.stranger().register("密" * 100)).body["data"] == problem("password", "password_too_long")
    assert (await stand.stranger().register("x" * 1_000_000)).told == (413, 10025)


async def test_registration_may_need_a_code(stand_up: Any) -> None:
    stand: Stand = await stand_up(auth={"register_needs_code": True})
    new = stand.stranger()
    assert (await new.register()).told == (422, 10106)
    code = await new.mail_code("register")
    assert (await new.register(code=code)).told == (200, 10000)
    assert (await new.login()).user["email"] == new.email


async def test_login(stand: Stand) -> None:
    await stand.customer("lin@example.com")
    customer = stand.stranger("LIN@Example.com", **{"X-Device-ID": "小明的手机"})
    data = (await customer.post("/auth/login", {"email": customer.email, "password": PASSWORD})).data

    assert set(data) == TOKENS | {"user"} and set(data["user"]) == USER
    assert data["user"]["login_count"] == 2
    for email, password in (("lin@example.com", "wrong password"), ("nobody@example.com", PASSWORD)):
        reply = await customer.post("/auth/login", {"email": email, "password": password})
        assert (reply.told, reply.body["data"]) == ((401, 10006), None)
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="storefront"'


async def test_a_lock_says_how_long(stand: Stand) -> None:
    await stand.customer("lin@example.com")
    stranger = stand.stranger("lin@example.com", **{"Accept-Language": "zh-HK"})
    wrong = [await stranger.post("/auth/login", {"email": stranger.email, "password": f"wrong {n}"}) for n in range(5)]
    locked = await stranger.post("/auth/login", {"email": stranger.email, "password": PASSWORD})

    assert {reply.told for reply in wrong} == {(401, 10006)}
    assert locked.told == (429, 10007)
    assert int(locked.headers["Retry-After"]) == locked.body["data"]["retry_after"] > 1000
    assert str(locked.body["data"]["retry_after"]) in locked.body["msg"] and "邮箱验证码" in locked.body["msg"]


async def test_logout_takes_an_empty_body_or_a_word(stand: Stand) -> None:
    customer = await stand.customer()
    assert (await customer.post("/auth/logout", {"all": "yes"})).body["data"] == problem("all", "bool_type")
    assert (await customer.post("/auth/logout", {})).data is None
    assert (await customer.post("/auth/logout")).told == (401, 10014)


async def test_refresh(stand: Stand) -> None:
    customer = await stand.customer()
    first = (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).data
    again = (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).data

    assert set(first) == TOKENS and first["refresh_token"] == again["refresh_token"]
    assert (await customer.get("/auth/me")).told == (401, 10014)  # the access token before it ended
    assert (await customer.post("/auth/refresh", {"refresh_token": first["access_token"]})).told == (401, 10009)
    assert (await customer.post("/auth/refresh", {"refresh_token": "x.y.z"})).told == (401, 10015)
    assert (await customer.post("/auth/refresh", {})).body["data"] == problem("refresh_token", "missing")


async def test_a_replayed_refresh_token_ends_its_session(stand_up: Any) -> None:
    stand: Stand = await stand_up(storefront={"sessions": {"grace_seconds": 0}})
    customer, other = await stand.customer("lin@example.com"), stand.stranger("lin@example.com")
    await other.login()
    new = (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).data

    assert (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).told == (401, 10016)
    assert (await customer.post("/auth/refresh", {"refresh_token": new["refresh_token"]})).told == (401, 10014)
    customer.access = new["access_token"]
    assert (await customer.get("/auth/me")).told == (401, 10014)
    assert (await other.get("/auth/me")).status == 200


async def test_me(stand: Stand) -> None:
    customer = await stand.customer("lin@example.com")
    me = (await customer.get("/auth/me")).data

    assert set(me) == USER
    assert (me["email"], me["language"], me["login_count"]) == ("lin@example.com", None, 1)
    assert me["id"] == customer.user["id"] and me["id"].isdigit()
    assert me["created_at"].endswith("Z") and me["last_login_at"].endswith("Z")


async def test_a_change_of_the_profile_shows_at_once(stand: Stand) -> None:
    """What is left out stays; the chosen language is that of all answers."""
    customer = await stand.customer(**{"Accept-Language": "en"})
    assert (await customer.call("PUT", "/client/auth/me", json={"nickname": "林"})).data["nickname"] == "林"
    changed = (await customer.call("PUT", "/client/auth/me", json={"language": "zh-CN"})).data
    assert (changed["nickname"], changed["language"]) == ("林", "zh-CN")
    assert (await customer.get("/auth/me")).data == changed

    reply = await customer.get("/order/status/none")
    assert (reply.body["msg"], reply.headers["Content-Language"]) == ("订单不存在", "zh-CN")
    given_back = await customer.call("PUT", "/client/auth/me", json={"language": None})
    assert given_back.data["language"] is None
    assert (await customer.get("/order/status/none")).headers["Content-Language"] == "en"
    for body in ({"language": "fr"}, {"nickname": ""}, {"email": "x@y.z"}, {"nickname": "a\nb"}):
        assert (await customer.call("PUT", "/client/auth/me", json=body)).told == (422, 10001), body


async def test_send_email_code(stand: Stand) -> None:
    """The same answer for known and unknown addresses; one a minute."""
    known, unknown = await stand.customer(), stand.stranger()
    replies = [
        await one.post("/auth/send-email-code", {"email": one.email, "purpose": purpose})
        for one in (known, unknown)
        for purpose in ("login", "reset", "register")
    ]
    again = await unknown.post("/auth/send-email-code", {"email": unknown.email, "purpose": "login"})

    assert {(reply.status, str(reply.body)) for reply in replies} == {(200, str(replies[0].body))}
    assert again.told == (429, 10108) and 50 <= int(again.headers["Retry-After"]) <= 60
    for body in ({"email": "x@y.zz", "purpose": "other"}, {"email": "x@y.zz"}, {"email": "none", "purpose": "login"}):
        assert (await unknown.post("/auth/send-email-code", body)).told == (422, 10001)


async def test_email_verify_login(stand: Stand) -> None:
    """Opens an account for an unknown address; a code is good once, and five wrong ones end it."""
    new = stand.stranger()
    code = await new.mail_code("login")
    data = (await new.post("/auth/email-verify-login", {"email": new.email, "code": code})).data
    assert set(data) == TOKENS | {"user"} and data["user"]["email"] == new.email
    assert (await new.post("/auth/email-verify-login", {"email": new.email, "code": code})).told == (422, 10106)

    other = stand.stranger()
    code = await other.mail_code("login")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    tries = [await other.post("/auth/email-verify-login", {"email": other.email, "code": wrong}) for _ in range(5)]
    last = await other.post("/auth/email-verify-login", {"email": other.email, "code": code})
    assert {reply.told for reply in tries} <= {(422, 10106), (422, 10110)}
    assert last.status == 422 and last.code in {10106, 10110}
    for value in ("12345", "1234567", "abcdef", 123456):
        reply = await other.post("/auth/email-verify-login", {"email": other.email, "code": value})
        assert reply.told == (422, 10001)


async def test_change_password(stand: Stand) -> None:
    """Other sessions end, this one stays."""
    customer, other = await stand.customer("lin@example.com"), stand.stranger("lin@example.com")
    await other.login()
    body = {"old_password": PASSWORD, "new_password": "another long password"}

    wrong = await customer.post("/auth/password/change", body | {"old_password": "not this one"})
    assert wrong.told == (403, 10011)
    assert (await customer.post("/auth/password/change", body)).data is None
    assert (await customer.get("/auth/me")).status == 200
    assert (await other.get("/auth/me")).told == (401, 10014)
    assert (await stand.stranger("lin@example.com").login("another long password")).access


async def test_sessions(stand: Stand) -> None:
    """A list of devices; one can be taken off, or all others; nobody else's."""
    one = await stand.customer("lin@example.com", **{"X-Device-ID": "phone", "User-Agent": "Shop/1.0"})
    two, stranger = stand.stranger("lin@example.com", **{"X-Device-ID": "tablet"}), await stand.customer()
    await two.login()
    items = (await one.get("/auth/sessions")).data["items"]
    theirs = (await stranger.get("/auth/sessions")).data["items"][0]["id"]

    assert {(item["device_id"], item["current"]) for item in items} == {("phone", True), ("tablet", False)}
    assert [item["agent"] for item in items if item["current"]] == ["Shop/1.0"]
    for number in (theirs, "1", "x", "0x1", "9" * 40):
        assert (await one.call("DELETE", f"/client/auth/sessions/{number}")).told == (404, 10105)
    (tablet,) = [item["id"] for item in items if not item["current"]]
    assert (await one.call("DELETE", f"/client/auth/sessions/{tablet}")).data is None
    assert (await two.get("/auth/me")).told == (401, 10014)
    await two.login()
    assert (await two.call("DELETE", "/client/auth/sessions")).data is None
    assert [(await each.get("/auth/me")).status for each in (one, two, stranger)] == [401, 200, 200]


# /api/client/product and /api/client/order


async def test_product_list(stand: Stand) -> None:
    """For everybody, in the caller's language; a bad token is told so all the same."""
    anybody = stand.stranger(**{"Accept-Language": "zh"})
    reply = await anybody.get("/product/list")
    items = {item["id"]: item for item in reply.data["items"]}

    assert items["credits-100"] == {
        "id": "credits-100",
        "name": "100 积分",
        "amount": 600,
        "currency": "CNY",
        "max_quantity": 10,
        "channels": ["wechat", "alipay"],
    }
    assert {"membership-month", "membership-year", "credits-1000"} <= set(items)
    assert (reply.headers["Content-Language"], reply.headers["Vary"]) == ("zh-CN", "Accept-Language")
    anybody.access = "x.y.z"
    assert (await anybody.get("/product/list")).told == (401, 10015)


async def test_order_create(stand: Stand) -> None:
    """The price is the catalogue's, whatever the client sends beside it."""
    customer = await stand.customer()
    body = {"product_id": "credits-100", "channel": "wechat", "quantity": 3}
    order = (await customer.post("/order/create", body)).data

    assert set(order) == ORDER
    assert (order["status"], order["amount"], order["currency"], order["quantity"]) == ("PENDING", 1800, "CNY", 3)
    assert order["pay"]["way"] == "native" and order["pay"]["values"]
    assert len(order["order_no"]) == 22
    for name, value in {"amount": 1, "price": 0, "currency": "USD", "user_id": "1", "status": "PAID"}.items():
        reply = await customer.post("/order/create", body | {name: value})
        assert reply.told == (422, 10001) and reply.body["data"] == problem(name, "extra_forbidden")
    refused = {
        ("product_id", "none"): (404, 20006),
        ("channel", "cash"): (422, 21004),
        ("quantity", 11): (422, 10001),
        ("quantity", 0): (422, 10001),
        ("quantity", -1): (422, 10001),
        ("quantity", 1.5): (422, 10001),
        ("quantity", 10**18): (422, 10001),
        ("quantity", "2"): (422, 10001),
        ("quantity", True): (422, 10001),
        ("product_id", ""): (422, 10001),
        ("product_id", None): (422, 10001),
    }
    for (name, value), told in refused.items():
        assert (await customer.post("/order/create", body | {name: value})).told == told, (name, value)
    assert (await customer.post("/order/create", body, **{"Idempotency-Key": "x" * 256})).told == (400, 10020)
    assert (await customer.get("/order/list")).data["total"] == 1


async def test_order_status(stand: Stand) -> None:
    """The owner's only: for everybody else it does not exist, byte for byte."""
    owner, stranger = await stand.customer(), await stand.customer()
    order = await owner.order(channel="wechat")
    theirs = await stranger.get(f"/order/status/{order['order_no']}")
    nobodys = await stranger.get(f"/order/status/{'0' * 22}")

    assert set(await owner.status(order["order_no"])) == ORDER
    assert (theirs.told, theirs.body) == (nobodys.told, nobodys.body) == ((404, 20001), theirs.body)
    for path in ("x", "%00", "..%2f..%2fetc", "' OR 1=1 --", "9" * 300):
        assert (await owner.get(f"/order/status/{path}")).status == 404, path


async def test_order_list(stand: Stand) -> None:
    """Pages, newest first; of one status if asked for; nothing that is not written as it should be."""
    customer, other = await stand.customer(), await stand.customer()
    numbers = [(await customer.order(channel="wechat"))["order_no"] for _ in range(3)]
    await customer.post(f"/order/cancel/{numbers[0]}")

    page = (await customer.get("/order/list?page=1&page_size=2")).data
    assert [item["order_no"] for item in page["items"]] == numbers[:0:-1]
    assert (page["total"], page["page"], page["page_size"]) == (3, 1, 2)
    cancelled = (await customer.get("/order/list?status=CANCELLED")).data
    assert [item["order_no"] for item in cancelled["items"]] == numbers[:1]
    assert (await customer.get("/order/list?status=PAID")).data["total"] == 0
    assert (await other.get("/order/list")).data["items"] == []
    wrong = (
        "page_size=-1",
        "page_size=0",
        "page_size=101",
        "page_size=1000000000",
        "page=0",
        "page=1000001",
        "page=1e1",
    )
    for query in (*wrong, "status=abc", "status=paid", "offset=1000000000000000000", "page=1&page=2", "limit=-1"):
        assert (await customer.get(f"/order/list?{query}")).told == (422, 10001), query


async def test_order_cancel(stand: Stand) -> None:
    owner, stranger = await stand.customer(), await stand.customer()
    order = await owner.order(channel="wechat")

    assert (await stranger.post(f"/order/cancel/{order['order_no']}")).told == (404, 20001)
    assert (await owner.post(f"/order/cancel/{order['order_no']}")).data["status"] == "CANCELLED"


async def test_order_numbers_cannot_be_guessed(stand: Stand) -> None:
    """Twenty of them share nothing but the date (A04)."""
    customer = await stand.customer()
    numbers = [(await customer.order(channel="wechat"))["order_no"] for _ in range(20)]
    tails = [number[6:] for number in numbers]

    assert len(set(tails)) == 20
    assert all(len({tail[at] for tail in tails}) > 3 for at in range(len(tails[0])))


# /api/payment/notify and /api/system


async def test_a_report_that_cannot_be_verified_changes_nothing(stand: Stand) -> None:
    """The answer is the vendor's form of a refusal; too many of them, and nobody listens for a while."""
    customer, anybody = await stand.customer(), stand.stranger()
    order = await customer.order(channel="wechat")

    async def forge(channel: str, body: bytes) -> Any:
        return await anybody.call("POST", f"/payment/notify/{channel}", data=body)

    wechat, alipay = await forge("wechat", b"{}"), await forge("alipay", b"out_trade_no=1&sign=x")
    assert wechat.status >= 400 and "code" in wechat.body and wechat.body["code"] != 10000
    assert alipay.body != b"success"
    assert (await forge("cash", b"{}")).told == (404, 10022)
    assert (await forge("wechat", b"x" * 70_000)).told == (413, 10025)
    assert (await customer.status(order["order_no"]))["status"] == "PENDING"
    statuses = [(await forge("wechat", b"{}")).status for _ in range(40)]
    assert statuses[0] == wechat.status and statuses[-1] == 429


async def test_health(stand: Stand) -> None:
    reply = await stand.stranger().call("GET", "/system/health")
    view = reply.data

    assert set(view) == {"status", "timestamp", "components", "version"}
    assert view["status"] == "healthy"
    assert {"database", "redis"} <= set(view["components"])
    assert view["components"]["database"]["status"] == "up"


async def test_without_redis_nobody_is_let_in_or_turned_out(stand_up: Any) -> None:
    """503 with a time to wait, never 401; the health page says what is away."""
    with redis() as server:
        stand: Stand = await stand_up(store_url=server.store_url)
        customer = await stand.customer()
    me = await customer.get("/auth/me")
    health = await customer.call("GET", "/system/health")

    assert (me.told, "Retry-After" in me.headers) == ((503, 10031), True)
    assert health.told == (503, 10031)
    assert health.body["data"]["status"] == "unhealthy"
    assert health.body["data"]["components"]["redis"]["status"] == "down"
