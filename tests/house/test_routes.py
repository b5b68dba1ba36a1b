"""Every route of this installation, walked as everybody who might come: default-deny, and nothing that nobody knows of.

The routes are those of the apps' documents and of the routers themselves, so one that is not described is found, too.
Source: reference/reliability.md §4.2 (A1 to A4, T1 to T3, T14, W2, W4, S5).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jwt
import pytest
from fastapi import APIRouter
from starlette.routing import Mount, Route

from hutong.apps.chat.app import open_accounts, open_sessions
from hutong.host.api_page import add_api_page
from hutong.host.asgi import OWN_PAGES
from hutong.kernel.files import DiskStorage, files_app
from hutong.kernel.identity import UserRole
from hutong.kernel.identity.clients import Client as CallersSide
from hutong.kernel.settings import RealmKeys
from support.chatter import chatter, exchange
from support.stand import Phone, Reply, Stand, photo

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PUBLIC: Mapping[tuple[str, str], str] = {
    ("POST", "/emoji/api/v1/auth/login"): "Whoever signs in has no token yet; limited by address.",
    ("GET", "/emoji/api/v1/config"): "A client needs it before it signs in; the same for everybody.",
    ("GET", "/emoji/health"): "The contract says so; names parts, up or down, and no more.",
    ("GET", "/emoji/assets/*"): "Pictures of the templates, part of the package.",
    ("GET", "/emoji/openapi.json"): "The description of the API; not in production.",
    ("GET", "/emoji/docs"): "The description to read and try out; not in production.",
    ("GET", "/emoji/docs/start.js"): "Its script; not in production.",
    ("GET", "/emoji/docs/assets/*"): "Swagger UI; not in production.",
    ("POST", "/storefront/api/client/auth/register"): "Whoever opens an account has no token yet; limited by address.",
    ("POST", "/storefront/api/client/auth/login"): "Whoever signs in has no token yet; limited by address, locks.",
    ("POST", "/storefront/api/client/auth/email-verify-login"): "The code of a mail is the permission; limited tries.",
    (
        "POST",
        "/storefront/api/client/auth/send-email-code",
    ): "Whoever asks for a code has no token; limited by address.",
    ("POST", "/storefront/api/client/auth/refresh"): "The refresh token in the body is the permission.",
    ("POST", "/storefront/api/client/auth/password/reset"): "The code of a mail is the permission; limited tries.",
    ("GET", "/storefront/api/client/product/list"): "What is on sale is for everybody to see.",
    ("POST", "/storefront/api/payment/notify/{channel}"): "The vendor's signature in the report is the permission.",
    ("GET", "/storefront/api/system/health"): "The contract says so; names parts, up or down, and no more.",
    ("GET", "/storefront/openapi.json"): "The description of the API; not in production.",
    ("GET", "/storefront/docs"): "The description to read and try out; not in production.",
    ("GET", "/storefront/docs/start.js"): "Its script; not in production.",
    ("GET", "/storefront/docs/assets/*"): "Swagger UI; not in production.",
    ("POST", "/chat/api/v1/auth/register"): "Whoever opens an account has no token yet; limited by address.",
    ("POST", "/chat/api/v1/auth/login"): "Whoever signs in has no token yet; limited by address, locks.",
    ("POST", "/chat/api/v1/auth/refresh"): "The refresh token in the body is the permission.",
    ("GET", "/chat/health"): "The contract says so; names parts, up or down, and no more.",
    ("GET", "/chat/openapi.json"): "The description of the API; not in production.",
    ("GET", "/chat/docs"): "The description to read and try out; not in production.",
    ("GET", "/chat/docs/start.js"): "Its script; not in production.",
    ("GET", "/chat/docs/assets/*"): "Swagger UI; not in production.",
    ("GET", "/files/{key:path}"): "The signature in the link is the permission.",
    ("POST", "/files/upload"): "The signature in the form is the permission.",
    ("GET", "/"): "Links to the rest.",
    ("GET", "/chat/"): "The page, with which people sign in.",
    ("GET", "/chat/page/{path:path}"): "Its style sheets and modules, part of the package.",
    ("GET", "/livez"): "For whoever restarts processes; tells nothing.",
    ("GET", "/readyz"): "For load balancers; names parts, up or down, and no more.",
    ("GET", "/metrics"): "For Prometheus; counts and times only. A proxy in front must not pass it on.",
}
SECURED = ("x-content-type-options", "cache-control")
PROBES = (
    *("/.git/config", "/.env", "/server-status", "/debug", "/actuator/env", "/backup.zip", "/config.yaml", "/admin"),
    *("/emoji/admin", "/emoji/metrics", "/emoji/livez", "/emoji/.env", "/emoji/api/v1", "/emoji/api/v2/config"),
    *("/metrics/x", "/livez/x", "/data/hutong.db", "/sandbox", "/sandbox/nobody/", "/emoji/files/x", "/secrets/files"),
    *("/storefront/admin", "/storefront/health", "/storefront/metrics", "/storefront/.env", "/storefront/api"),
    *("/storefront/api/client/auth/me/", "/storefront//api/client/auth/me", "/storefront/api/client/auth/ME"),
    *("/storefront/api/payment/notify", "/storefront/api/client/order/status/", "/storefront/files/x"),
    *("/chat/admin", "/chat/metrics", "/chat/.env", "/chat/api", "/chat/api/v1", "/chat/api/v1/health"),
    *("/chat/api/v1/users/me/", "/chat//api/v1/users/me", "/chat/api/v1/users/ME/quota", "/chat/api/v2/users/me"),
    *("/emoji/api/v1/config/", "/emoji/API/v1/config", "/emoji/api/v1/user/1", "/emoji/api/v1/emoji/task"),
)


class App(NamedTuple):
    """What an app says to those who may not come in.

    Args:
        missing: code for whoever shows no token.
        invalid, expired, kind: codes of tokens that are none, are over, or are for something else.
    """

    missing: int | str
    invalid: int | str
    expired: int | str
    kind: int | str


APPS: Mapping[str, App] = {
    "emoji": App(401003, 401002, 401001, 401002),
    "storefront": App(10002, 10015, 10013, 10009),
    "chat": App(
        "identity.token_missing", "identity.token_invalid", "identity.token_expired", "identity.token_wrong_kind"
    ),
}


class Way(NamedTuple):
    """A method and the path of a route, as its router spells it."""

    method: str
    path: str

    @property
    def app(self) -> str:
        return self.path.split("/")[1]


def ways(routes: Iterable[Any], prefix: str) -> Iterator[Way]:
    """All that a router answers, included routers and mounted folders as well."""
    for route in routes:
        if isinstance(included := getattr(route, "original_router", None), APIRouter):
            yield from ways(included.routes, prefix)
        elif isinstance(route, Mount):
            yield Way("GET", f"{prefix}{route.path}/*")
        elif isinstance(route, Route):
            yield from (Way(method, prefix + route.path) for method in sorted((route.methods or {"GET"}) - {"HEAD"}))


def known(stand: Stand) -> set[Way]:
    """Every way into this installation but the sandboxes."""
    found = {Way("GET", "/"), *(Way("GET", page) for page in OWN_PAGES)}
    for spec in stand.host.specs:
        app = spec.create_app(stand.host.kernel)
        add_api_page(app)
        found.update(ways(app.routes, f"/{spec.name}"))
    disk = stand.host.kernel.files
    assert isinstance(disk, DiskStorage)
    return found.union(ways(files_app(disk).routes, "/files"))


def closed(stand: Stand, app: str = "") -> list[Way]:
    """The ways that need a token, of all apps or of one."""
    return sorted(way for way in known(stand) if way not in PUBLIC and app in {"", way.app})


def filled(path: str, thing: str = "1") -> str:
    """The path with something in its places."""
    for place in (
        "{task_id}",
        "{order_no}",
        "{session_id}",
        "{user_id}",
        "{key_id}",
        "{conversation_id}",
        "{message_id}",
        "{response_id}",
    ):
        path = path.replace(place, thing)
    return path.replace("{channel}", "wechat").replace("{key:path}", "uploads/1/2.jpg").replace("*", "nothing.css")


async def ask(stand: Stand, way: Way, token: str | None = None, thing: str = "1", **headers: str) -> Reply:
    """One request without a body."""
    sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    url = stand.base + filled(way.path, thing)
    async with stand.client.request(way.method, url, headers=sent, allow_redirects=False) as answer:
        content = await answer.read()
        shown = json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content
        return Reply(answer.status, answer.headers, shown)


def expected(way: Way, code: int | str) -> int | str:
    """The code for a way in: OpenAI's endpoints have one for every token that is none."""
    return "invalid_api_key" if way.path.startswith("/chat/v1/") else code


def code_in(reply: Reply) -> int | str:
    """The code of a failed answer, whichever app gave it."""
    failure = reply.body.get("error")
    return str(failure["code"]) if isinstance(failure, dict) else reply.code


async def tokens(stand: Stand) -> dict[str, str]:
    """A good token of a user of each app."""
    lin = await chatter(stand, f"lin{stand.phones}")
    return {"emoji": (await stand.phone()).token, "storefront": (await stand.customer()).access, "chat": lin.access}


def forged(stand: Stand, app: str, token: str) -> dict[str, tuple[str, int | str]]:
    """Tokens that are none of ours, made after a good one, with the code that each gets."""
    key, codes = stand.settings.realm_keys(app, RealmKeys())[0], APPS[app]
    secret, head = key.secret.get_secret_value(), {"kid": jwt.get_unverified_header(token)["kid"]}
    good = jwt.decode(token, options={"verify_signature": False})
    past = {**good, "iat": good["iat"] - 900_000, "exp": good["iat"] - 800_000}
    other = next(name for name in APPS if name != app)
    foreign = stand.settings.realm_keys(other, RealmKeys())[0].secret.get_secret_value()
    endless = {name: value for name, value in good.items() if name != "exp"}
    return {
        "garbage": ("x.y.z", codes.invalid),
        "expired": (jwt.encode(past, secret, "HS256", head), codes.expired),
        "another realm's": (jwt.encode(good, foreign, "HS256", head), codes.invalid),
        "unsigned": (jwt.encode(good, "", "none", head), codes.invalid),
        "unknown kid": (jwt.encode(good, secret, "HS256", {**head, "kid": "other"}), codes.invalid),
        "another algorithm": (jwt.encode(good, secret * 2, "HS512", head), codes.invalid),
        "for renewal": (jwt.encode({**good, "type": "refresh"}, secret, "HS256", head), codes.kind),
        "without an end": (jwt.encode(endless, secret, "HS256", head), codes.invalid),
    }


async def administrators_token(stand: Stand, name: str) -> str:
    """A token of a new administrator of the chat app, without the time that passwords take."""
    made = await open_accounts(stand.host.kernel).create(f"{name}@example.com", role=UserRole.ADMIN)
    opened = await open_sessions(stand.host.kernel).open(made.id, CallersSide("127.0.0.1", "en"))
    return opened.access_token


async def test_the_routers_answer_what_is_described_and_what_is_listed_here(stand: Stand) -> None:
    """No forgotten route, no listed one that is gone, a reason for each public one."""
    described = set()
    for spec in stand.host.specs:
        paths = spec.create_app(stand.host.kernel).openapi()["paths"]
        described |= {Way(method.upper(), f"/{spec.name}{path}") for path, item in paths.items() for method in item}
    found = known(stand)

    assert described <= found
    assert found - described <= set(PUBLIC)
    assert set(PUBLIC) <= found
    assert all(len(reason) > 15 for reason in PUBLIC.values())
    assert len(closed(stand)) >= 22


@pytest.mark.parametrize("app", APPS)
async def test_nobody_gets_in_anywhere_else(stand: Stand, app: str) -> None:
    """Without a token, with one in the wrong place or twice, with somebody's name in a header: 401 on every route."""
    token = (await tokens(stand))[app]
    user_id = jwt.decode(token, options={"verify_signature": False})["sub"]
    attempts: list[dict[str, str]] = [
        {},
        {"X-User-Id": user_id, "X-WeChat-OpenID": user_id, "X-Forwarded-For": "127.0.0.1"},
        {"Cookie": f"access_token={token}"},
        {"X-Access-Token": token},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {token}"},
        {"Authorization": token},
    ]
    for headers in attempts:
        answers = {way: (await ask(stand, way, **headers)) for way in closed(stand, app)}
        told = {way: (reply.status, code_in(reply)) for way, reply in answers.items()}
        assert told == {way: (401, expected(way, APPS[app].missing)) for way in closed(stand, app)}
        assert all(reply.headers["WWW-Authenticate"].startswith("Bearer") for reply in answers.values())


async def test_a_token_in_the_address_is_none(stand: Stand) -> None:
    good = await tokens(stand)
    for way in closed(stand):
        path = Way(way.method, f"{way.path}?access_token={good[way.app]}&token={good[way.app]}")
        assert (await ask(stand, path)).status in {400, 401, 422}


@pytest.mark.parametrize("app", APPS)
async def test_a_forged_token_opens_nothing(stand: Stand, app: str) -> None:
    token = (await tokens(stand))[app]
    for name, (text, code) in forged(stand, app, token).items():
        answers = {way: code_in(await ask(stand, way, text)) for way in closed(stand, app)}
        assert answers == {way: expected(way, code) for way in closed(stand, app)}, name


async def test_strangers_learn_nothing_from_a_broken_body(stand: Stand) -> None:
    """Who calls is asked before what is wrong with the body is told."""
    phone = Phone(stand.client, stand.base)
    for path in ("/emoji/create", "/emoji/detect", "/emoji/upload"):
        for body in (b"{", b'{"a":1,"a":2}', b'{"x":NaN}', b"[]", b""):
            reply = await phone.call("POST", path, data=body, headers={"Content-Type": "application/json"})
            assert (reply.status, reply.code) == (401, 401003)
    stranger = stand.stranger()
    for path in ("/order/create", "/auth/password/change", "/auth/logout"):
        for body in (b"{", b'{"a":1,"a":2}', b'{"x":NaN}', b"[]", b""):
            answer = await stranger.call(
                "POST", f"/client{path}", data=body, headers={"Content-Type": "application/json"}
            )
            assert answer.told == (401, 10002)


async def test_other_peoples_things_do_not_exist(stand: Stand) -> None:
    """On every route with an id, another user is told what they are told about an id that never was; nothing changes."""
    owner, stranger = await stand.phone(), await stand.phone()
    stand.vision.gate.clear()
    task_id = (await owner.create(await owner.uploaded())).data["task_id"]
    with_id = [way for way in closed(stand, "emoji") if "{" in way.path]
    for way in with_id:
        theirs, nobodys = (
            await ask(stand, way, stranger.token, task_id),
            await ask(stand, way, stranger.token, "250348760216502272"),
        )
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body)
        assert (theirs.status, theirs.code) == (404, 404001)
    stand.vision.gate.set()

    assert len(with_id) == 2
    assert (await owner.ended(task_id))["status"] == "completed"
    assert await stranger.entries() == [("reward", 100)]
    assert (await stranger.call("GET", "/emoji/history")).data["total"] == 0


async def test_other_customers_things_do_not_exist(stand: Stand) -> None:
    """The same for orders and sessions of the storefront."""
    owner, stranger = await stand.customer(), await stand.customer()
    order_no = (await owner.order(channel="wechat"))["order_no"]
    session_id = (await owner.get("/auth/sessions")).data["items"][0]["id"]
    with_id = [way for way in closed(stand, "storefront") if "{" in way.path]
    for way in with_id:
        thing, none = (session_id, "250348760216502272") if "session_id" in way.path else (order_no, "0" * 22)
        theirs = await ask(stand, way, stranger.access, thing)
        nobodys = await ask(stand, way, stranger.access, none)
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body)
        assert (theirs.status, theirs.code) in {(404, 20001), (404, 10105)}

    assert len(with_id) == 3
    assert (await owner.status(order_no))["status"] == "PENDING"
    assert (await stranger.get("/order/list")).data["total"] == 0


async def test_other_peoples_conversations_and_keys_do_not_exist(stand: Stand) -> None:
    """The same for the chat app; an administrator is no exception where conversations are concerned."""
    owner, stranger = await chatter(stand, "owner"), await administrators_token(stand, "stranger")
    conversation = await owner.begin("mine")
    conversation |= {"reply": (await exchange(stand, owner, conversation["id"], "hello", "hi")).id}
    key_id = (await owner.post("/users/me/keys", {"name": "mine"})).ok["id"]
    with_id = [way for way in closed(stand, "chat") if "{" in way.path and "{user_id}" not in way.path]
    for way in with_id:
        if "{key_id}" in way.path:
            thing, none = key_id, "250348760216502272"
        else:
            thing, none = conversation["id"], "0198f2a4-1c3e-7d52-8a6b-0123456789ab"
        theirs, nobodys = await ask(stand, way, stranger, thing), await ask(stand, way, stranger, none)
        assert (theirs.status, code_in(theirs)) == (nobodys.status, code_in(nobodys)), way
        assert theirs.status in {404, 422}, way

    assert len(with_id) >= 6
    assert await owner.titles() == ["mine"]
    assert [key["id"] for key in (await owner.get("/users/me/keys")).ok["items"]] == [key_id]


async def test_nobody_but_an_administrator_sees_users(stand: Stand) -> None:
    """403 for every way there, in the same words for users that there are and users that there are not."""
    lin = await chatter(stand, "lin")
    others = [
        way for way in closed(stand, "chat") if way.path.removeprefix("/chat/api/v1") in {"/users", "/users/{user_id}"}
    ]
    told = {code_in(await ask(stand, way, lin.access, thing)) for way in others for thing in (lin.user["id"], "1")}

    assert len(others) == 3
    assert told - {"http.fields_invalid"} == {"identity.administrators_only"}


async def test_a_user_is_let_in_everywhere(stand: Stand) -> None:
    """And a request that lacks everything is at most wrong, never a server error."""
    phone, customer = await stand.phone(), await stand.customer()
    answers = {}
    for number, way in enumerate(sorted(known(stand))):
        token = phone.token
        if way.app == "storefront":
            token = (await customer.login()).access  # one way in ends the session
        elif way.app == "chat":
            token = await administrators_token(stand, f"admin{number}")  # another one ends the account
        answers[way] = (await ask(stand, way, token)).status

    wrong = {200, 201, 204, 400, 404, 422}
    assert {way: status for way, status in answers.items() if way not in PUBLIC and status not in wrong} == {}
    answers.pop(Way("POST", "/storefront/api/payment/notify/{channel}"))  # a vendor's own words
    assert {way: status for way, status in answers.items() if status >= 500 or status == 401} == {}


async def test_every_path_names_the_methods_that_it_takes(stand: Stand) -> None:
    """405 with the complete `Allow` for all others; a method in a header is no method."""
    taken: dict[str, set[str]] = {}
    for way in known(stand):
        taken.setdefault(filled(way.path), set()).add(way.method)
    taken["/files/upload"].add("GET")  # a link like any other, to an object of that name
    conversations = "/chat/api/v1/conversations"
    for name in ("export", "import"):
        taken[f"{conversations}/{name}"] |= taken[f"{conversations}/1"]  # a conversation like any other
    phone = await stand.phone()
    for path, methods in taken.items():
        for method in (*METHODS, "OPTIONS", "TRACE"):
            if method not in methods:
                reply = await ask(stand, Way(method, path), phone.token, **{"X-HTTP-Method-Override": min(methods)})
                allowed = {name.strip() for name in reply.headers.get("Allow", "").split(",")} - {"HEAD"}
                assert (reply.status, allowed) == (405, methods), (method, path)
                assert "Access-Control-Allow-Origin" not in reply.headers or path.startswith("/files")


async def test_what_is_often_looked_for_is_not_there(stand: Stand) -> None:
    """404 for anonymous callers and users alike, and never a redirect."""
    phone = await stand.phone()
    anonymous = {path: await ask(stand, Way("GET", path)) for path in PROBES}
    user = {path: await ask(stand, Way("GET", path), phone.token) for path in PROBES}

    assert {reply.status for reply in (*anonymous.values(), *user.values())} == {404}
    assert not any("Location" in reply.headers for reply in anonymous.values())


async def test_every_answer_carries_the_security_headers(stand: Stand) -> None:
    """Pages, data, errors, files, and what no app answers."""
    for way in [*sorted(known(stand)), Way("GET", "/nowhere"), Way("GET", "/emoji/nowhere"), Way("POST", "/livez")]:
        reply = await ask(stand, way)
        assert [name for name in SECURED if name not in reply.headers] == [], way
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Frame-Options"] == "DENY" and reply.headers["Referrer-Policy"] == "no-referrer", way
        assert "Server" not in reply.headers


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "https://app.example.com.evil.example", "https://evilapp.example.com"]
)
async def test_no_foreign_page_may_call(stand_up: Any, origin: str) -> None:
    """One listed origin is allowed, exactly; no other is, in a preflight or in a call."""
    stand: Stand = await stand_up(http={"cors_origins": ["https://app.example.com"]})
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = await ask(stand, Way("OPTIONS", "/emoji/api/v1/emoji/create"), **asked)
    call = await ask(stand, Way("GET", "/emoji/api/v1/config"), Origin=origin)
    ours = await ask(
        stand, Way("OPTIONS", "/emoji/api/v1/emoji/create"), **{**asked, "Origin": "https://app.example.com"}
    )

    assert not any(name.lower().startswith("access-control") for reply in (preflight, call) for name in reply.headers)
    assert (ours.status, ours.headers["Access-Control-Allow-Origin"]) == (204, "https://app.example.com")
    assert "Access-Control-Allow-Credentials" not in ours.headers


async def test_no_socket_opens(stand: Stand) -> None:
    """An upgrade to WebSocket on a route that has none is answered as the request that it is."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    reply = await ask(stand, Way("GET", "/emoji/api/v1/points/balance"), **upgrade, **{"Sec-WebSocket-Key": "x" * 22})

    assert (reply.status, reply.code) == (401, 401003)


async def test_a_picture_stays_its_owners(stand: Stand) -> None:
    """A link is a capability to look, never to use: neither detect nor create takes another user's."""
    owner, stranger = await stand.phone(), await stand.phone()
    image_url = await owner.uploaded(photo(shade=90))
    detect = await stranger.call("POST", "/emoji/detect", json={"image_url": image_url})
    create = await stranger.create(image_url)

    assert (detect.code, create.code) == (400001, 400001)
    assert (await owner.call("POST", "/emoji/detect", json={"image_url": image_url})).data["passed"]
