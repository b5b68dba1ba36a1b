"""Each row of the contract for one request at a time: bodies, codes, headers, strictness."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest

from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.settings import RealmKeys
from support.stand import Phone, Stand, photo, until

CLOSED = [
    ("POST", "/auth/refresh"),
    ("GET", "/user/profile"),
    ("PUT", "/user/profile"),
    ("GET", "/points/balance"),
    ("GET", "/points/transactions"),
    ("POST", "/emoji/upload"),
    ("POST", "/emoji/detect"),
    ("POST", "/emoji/create"),
    ("GET", "/emoji/task/1"),
    ("GET", "/emoji/history"),
    ("DELETE", "/emoji/task/1"),
]
PUBLIC = {("POST", "/api/v1/auth/login"), ("GET", "/api/v1/config"), ("GET", "/health")}


def token(stand: Stand, **changed: Any) -> str:
    """A token signed with the realm's own key, its claims changed."""
    key = stand.settings.realm_keys("emoji", RealmKeys())[0]
    now = datetime.now(UTC)  # noqa: TID251 - a client has its own clock
    claims: dict[str, Any] = {"sub": "1", "iat": int(now.timestamp()), "type": "access"}
    claims["exp"] = int((now + timedelta(days=1)).timestamp())
    return jwt.encode({**claims, **changed}, key.secret.get_secret_value(), "HS256", {"kid": key.kid})


async def test_every_route_is_closed_unless_it_is_listed_as_public(stand: Stand) -> None:
    """The list of routes is the app's own description; anonymous callers get 401003 everywhere else."""
    phone = Phone(stand.client, stand.base)
    async with stand.client.get(f"{stand.base}/emoji/openapi.json") as answer:
        described = await answer.json()
    routes = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    codes = {route: (await phone.call(*route)).code for route in CLOSED}

    assert {
        (method, path.removeprefix("/api/v1").replace("{task_id}", "1")) for method, path in routes - PUBLIC
    } == set(CLOSED)
    assert set(codes.values()) == {401003}


async def test_bad_tokens(stand: Stand) -> None:
    phone = await stand.phone()
    past = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    user_id = phone.user["id"]
    bad = {
        "expired": (token(stand, sub=user_id, iat=past, exp=past + 60), 401001),
        "garbage": ("abc", 401002),
        "other kind": (token(stand, sub=user_id, type="refresh"), 401002),
        "unknown user": (token(stand, sub="12345"), 401002),
        "issued in the future": (token(stand, sub=user_id, iat=past * 2), 401002),
        "text for a time": (token(stand, sub=user_id, exp="1e400"), 401002),
        "number for a subject": (token(stand, sub=7), 401002),
        "unsigned": (jwt.encode({"sub": user_id, "iat": 1, "exp": 2**40, "type": "access"}, "", "none"), 401002),
        "other key": (
            jwt.encode({"sub": user_id, "iat": 1, "exp": 2**40, "type": "access"}, "x" * 40, "HS256", {"kid": "local"}),
            401002,
        ),
        "kid as a path": (jwt.encode({"sub": user_id}, "x" * 40, "HS256", {"kid": "../../etc/passwd"}), 401002),
    }
    codes = {}
    for name, (text, _) in bad.items():
        phone.token = text
        codes[name] = (await phone.call("GET", "/points/balance")).code

    assert codes == {name: code for name, (_, code) in bad.items()}


async def test_a_token_is_renewed(stand: Stand) -> None:
    phone = await stand.phone()
    renewed = (await phone.call("POST", "/auth/refresh")).data
    phone.token = renewed["access_token"]
    claims = jwt.decode(phone.token, options={"verify_signature": False})

    assert renewed["expires_in"] == 7 * 86_400
    assert set(claims) == {"sub", "iat", "exp", "type"}
    assert (claims["sub"], claims["exp"] - claims["iat"], claims["type"]) == (phone.user["id"], 7 * 86_400, "access")
    assert await phone.balance() == 100


async def test_the_profile_shows_the_present_balance_and_a_new_name_at_once(stand: Stand) -> None:
    phone = await stand.phone()
    before = (await phone.call("GET", "/user/profile")).data
    changed = (await phone.call("PUT", "/user/profile", json={"nickname": " 小明 🙂 "})).data
    after = (await phone.call("GET", "/user/profile")).data

    assert before["points"] == 100 and before["is_vip"] is False and before["vip_type"] is None
    assert changed["nickname"] == after["nickname"] == "小明 🙂"
    assert after["id"] == phone.user["id"] and isinstance(after["id"], str)


@pytest.mark.parametrize(
    "body",
    [
        b'{"device_id":"device-1","is_vip":true}',
        b'{"device_id":"device-1","device_id":"device-2"}',
        b'{"device_id":NaN}',
        b'{"device_id":12345678}',
        b'{"device_id":"short"}',
        b'{"device_id":"nul\\u0000inside"}',
        b'{"device_id":"lone\\ud800half"}',
        b'{"device_id":"' + b"x" * 129 + b'"}',
        b"[" * 100_000,
        b'{"device_id":"device-1"',
        b"\xff\xfe",
        b"",
    ],
)
async def test_what_is_no_clean_request_is_400001(stand: Stand, body: bytes) -> None:
    """Unknown fields, duplicate keys, NaN, wrong types, NUL, surrogates, deep nesting, broken JSON."""
    phone = Phone(stand.client, stand.base)
    reply = await phone.call("POST", "/auth/login", data=body, headers={"Content-Type": "application/json"})

    assert (reply.status, reply.code) == (400, 400001)
    assert "device-1" not in json.dumps(reply.body)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a picture at all", 400001),
        (b"GIF89a" + bytes(100), 400001),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 400001),
        (b"\xff\xd8\xff" + bytes(1000), 400001),
        (photo(399), 400001),
        (b"\xff\xd8\xff" + bytes(10 * 1024 * 1024 - 2), 413001),
    ],
)
async def test_what_is_no_usable_picture_is_refused(stand: Stand, content: bytes, code: int) -> None:
    """Also one byte more than 10 MB; nothing is stored."""
    phone = await stand.phone()
    reply = await phone.upload(content)

    assert (reply.status, reply.code) == (code // 1000, code)
    assert not await stand.host.kernel.files.list("uploads/")


async def test_a_body_without_end_is_cut_off(stand: Stand) -> None:
    """A chunked body that says no length is stopped at the limit."""

    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 65_536

    phone = await stand.phone()
    try:
        reply = await phone.call("POST", "/emoji/detect", data=endless(), headers={"Content-Type": "application/json"})
    except aiohttp.ClientError:
        return  # the server stopped reading and closed: just as good
    assert (reply.status, reply.code) == (413, 413001)


async def test_an_upload_without_a_file_says_so(stand: Stand) -> None:
    phone = await stand.phone()
    form = aiohttp.FormData()
    form.add_field("picture", b"x", filename="x.png")
    reply = await phone.call("POST", "/emoji/upload", data=form)

    assert reply.code == 400001 and "image" in reply.body["message"]


@pytest.mark.parametrize(
    ("driven_id", "image_url", "code"),
    [
        ("nobody", None, 404002),
        ("mengwa_kaixin", "http://169.254.169.254/latest", 400001),
        ("mengwa_kaixin", "x", 400001),
    ],
)
async def test_unknown_templates_and_foreign_links(
    stand: Stand, driven_id: str, image_url: str | None, code: int
) -> None:
    phone = await stand.phone()
    reply = await phone.create(image_url or await phone.uploaded(), driven_id)

    assert (reply.status, reply.code) == (code // 1000, code)
    assert await phone.balance() == 100


@pytest.mark.parametrize("task_id", ["1", "0", "-1", "abc", "9" * 30, "1%2F..%2F2"])
async def test_ids_that_are_nobodys_are_unknown(stand: Stand, task_id: str) -> None:
    phone = await stand.phone()
    reply = await phone.call("GET", f"/emoji/task/{task_id}")

    assert reply.status == 404


@pytest.mark.parametrize("query", ["page=0", "page_size=101", "page=x", "page_size=-1", "page=99999999999"])
async def test_pages_out_of_range(stand: Stand, query: str) -> None:
    phone = await stand.phone()
    reply = await phone.call("GET", f"/points/transactions?{query}")

    assert (reply.status, reply.code) == (400, 400001)
    assert reply.body["data"]["fields"]


async def test_errors_speak_the_callers_language_and_carry_the_request_id(stand: Stand) -> None:
    phone = Phone(stand.client, stand.base)
    chinese = await phone.call("GET", "/points/balance", headers={"Accept-Language": "zh-HK,en;q=0.5"})
    english = await phone.call("GET", "/nowhere", headers={"X-Request-ID": "abcdefgh-1"})
    method = await phone.call("PATCH", "/user/profile")

    assert "令牌" in chinese.body["message"] and chinese.headers["Content-Language"] == "zh-CN"
    assert (english.status, english.code, english.headers["X-Request-ID"]) == (404, 404000, "abcdefgh-1")
    assert (method.status, method.code) == (405, 405000)
    assert chinese.headers["X-Content-Type-Options"] == "nosniff" and chinese.headers["Cache-Control"] == "no-store"


async def test_the_configuration_is_live_and_has_a_tag(stand: Stand) -> None:
    """304 while nothing changed; an edit of the folder shows within seconds; a bad edit is refused and the old stays."""
    phone = Phone(stand.client, stand.base)
    first = await phone.call("GET", "/config")
    path = stand.data / "config" / "pickitchen-points.json"
    same = await phone.call("GET", "/config", headers={"If-None-Match": first.headers["ETag"]})
    changed = {**json.loads(path.read_text()), "points_rules": {"emoji": 25, "avatar": 30, "pose": 30}}
    path.write_text(json.dumps(changed))

    async def applied() -> bool:
        return bool((await phone.call("GET", "/config")).data["points_rules"]["emoji"] == 25)

    await until(applied)
    path.write_text('{"points_rules": {"emoji": -1}}')
    await stand.host.documents.refresh()

    assert same.status == 304
    assert len([t for style in first.data["styles"] for t in style["templates"]]) == 20
    assert await applied()
    async with stand.client.get(first.data["styles"][0]["templates"][0]["preview_url"]) as preview:
        assert preview.status == 200


async def test_limits_answer_with_the_time_to_wait(stand_up: Any) -> None:
    stand: Stand = await stand_up(
        emoji=EmojiSettings(login_per_minute=3, poll_seconds=0.1).model_dump(exclude_defaults=True)
    )
    phone = Phone(stand.client, stand.base)
    replies = [await phone.call("POST", "/auth/login", json={"device_id": "device-0001"}) for _ in range(8)]
    refused = [reply for reply in replies if reply.code == 429001]

    assert refused and all(int(reply.headers["Retry-After"]) >= 1 for reply in refused)


async def test_health_names_every_part(stand: Stand) -> None:
    async with stand.client.get(f"{stand.base}/emoji/health") as answer:
        health = await answer.json()

    assert health["status"] == "healthy" and set(health["components"]) == {"database", "redis"}
    assert all(part["status"] == "up" and part["latency_ms"] >= 0 for part in health["components"].values())


async def test_the_hosts_own_pages(stand: Stand) -> None:
    async def get(path: str, **headers: str) -> tuple[int, str]:
        async with stand.client.get(stand.base + path, headers=headers) as answer:
            return answer.status, await answer.text()

    assert (await get("/livez"))[0] == 200
    assert (await get("/readyz"))[0] == 200
    assert "hutong_http_requests_total" in (await get("/metrics"))[1]
    assert "Hutong is up" in (await get("/"))[1]
    assert "已启动" in (await get("/", **{"Accept-Language": "zh-CN"}))[1]
    assert (await get("/nowhere"))[0] == 404
    assert (await get("/api/v1/config", Host="emoji.example.com"))[0] == 200
