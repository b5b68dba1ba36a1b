"""Attacks on two API processes and a worker that share one MariaDB and one Redis, or a Redis Cluster of three masters."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from support.customer import PASSWORD, Answer, Customer
from support.deadlines import until
from support.http import Client, free_listener, http_client, listening
from support.installation import Caller, Installation, installed
from support.processes import free_port
from support.servers import MariaDB, Redis, RedisCluster

pytestmark = [pytest.mark.server, pytest.mark.slow]
ORDER = {"product_id": "credits-100", "channel": "alipay"}
ON_A_CLUSTER_TOO = pytest.mark.parametrize("fleet", ["on_one", "on_three"], indirect=True)
REPORTS_A_LOT = {"HUTONG_LOG__LEVEL": "debug", "HUTONG_STOREFRONT__SESSIONS__GRACE_SECONDS": "5"}


@dataclass
class Fleet:
    """Two doors to one installation, and a place where Alipay's reports arrive before they reach it."""

    installation: Installation
    doors: tuple[str, str]
    database: MariaDB
    name: str
    listener: Any
    second: int
    people: int = field(default=0)

    def start_second(self) -> None:
        """The API process behind the second door."""
        self.installation.start("serve", "--port", str(self.second))

    def kill_second(self) -> None:
        """kill -9, and nobody gets to say a word."""
        own = self.installation.processes
        process = next(each for each in own if str(self.second) in str(each.args))
        psutil.Process(process.pid).send_signal(signal.SIGKILL)
        process.wait()
        own.remove(process)

    def customers(self, client: Client) -> tuple[Customer, Customer]:
        """One new customer, at each of the doors."""
        self.people += 1
        first, second = (Customer(client, door, f"customer{self.people}@example.com") for door in self.doors)
        return first, second

    async def joined(self, client: Client) -> tuple[Customer, Customer]:
        """The same, signed in with one session."""
        first, second = self.customers(client)
        await first.join()
        second.access, second.refresh, second.user = first.access, first.refresh, first.user
        return first, second

    def sql(self, statement: str) -> str:
        return self.database.execute(statement, self.name)

    def log(self) -> str:
        """All that the processes said."""
        return (self.installation.data / "test.log").read_text(errors="replace")


@contextmanager
def starting(name: str, store: Redis | RedisCluster, server: MariaDB, template: str, data: Path) -> Iterator[Fleet]:
    """Start two API processes and a worker on a database of their own."""
    store.flush()
    url = server.create_database(name, template=template)
    with free_listener() as listener:
        caught = f"http://127.0.0.1:{listener.getsockname()[1]}/caught"
        own = {"HUTONG_DATABASE_URL": url, "HUTONG_STORE_URL": store.store_url, "HUTONG_ALIPAY__NOTIFY_URL": caught}
        with installed(data, {**REPORTS_A_LOT, **own}) as installation:
            second = free_port()
            doors = (installation.base, f"http://127.0.0.1:{second}")
            fleet = Fleet(installation, doors, server, name, listener, second)
            installation.start("serve", "--port", str(installation.port))
            fleet.start_second()
            installation.start("worker")
            yield fleet
    server.drop_database(name)


@pytest.fixture(scope="module")
def on_one(
    redis_server: Redis, mariadb_server: MariaDB, mariadb_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    data = tmp_path_factory.mktemp("fleet")
    with starting("attacks_on_one", redis_server, mariadb_server, mariadb_template, data) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def on_three(
    redis_masters: RedisCluster,
    mariadb_server: MariaDB,
    mariadb_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    data = tmp_path_factory.mktemp("fleet")
    with starting("attacks_on_three", redis_masters, mariadb_server, mariadb_template, data) as fleet:
        yield fleet


@pytest.fixture
def fleet(request: pytest.FixtureRequest) -> Fleet:
    """On one Redis unless a test says otherwise; each is started once, whatever the order of the tests."""
    started: Fleet = request.getfixturevalue(getattr(request, "param", "on_one"))
    return started


@pytest.fixture
async def client(fleet: Fleet) -> AsyncIterator[Client]:
    """A client, once both doors are open."""
    async with http_client(30) as client:
        for door in fleet.doors:
            await Caller(fleet.installation, client, door).answers()
        yield client


@asynccontextmanager
async def catching(fleet: Fleet) -> AsyncIterator[list[tuple[dict[str, str], bytes]]]:
    """Alipay's reports, kept back."""
    caught: list[tuple[dict[str, str], bytes]] = []

    async def keep(request: Request) -> Response:
        caught.append(({"Content-Type": request.headers["content-type"]}, await request.body()))
        return PlainTextResponse("success")

    async with listening(Starlette(routes=[Route("/caught", keep, methods=["POST"])]), fleet.listener.dup()):
        yield caught


async def a_report(fleet: Fleet, customer: Customer) -> tuple[Any, dict[str, str], bytes]:
    """A new order that was paid, and Alipay's report of it, which nobody has received yet."""
    async with catching(fleet) as caught:
        order = await customer.order(channel="alipay")
        await customer.pay(order)

        async def arrived() -> Any:
            return [letter for letter in caught if order["order_no"].encode() in letter[1]]

        ((headers, body), *_) = await until(arrived)
    return order, headers, body


async def post(customer: Customer, headers: dict[str, str], body: bytes) -> Answer:
    return await customer.call("POST", "/payment/notify/alipay", data=body, headers=headers)


@ON_A_CLUSTER_TOO
async def test_fifty_renewals_at_two_doors_leave_one_live_token(fleet: Fleet, client: Client) -> None:
    """Half of them at each: one successor, and the second generation is one again (R01)."""
    one, two = await fleet.joined(client)
    answers = await asyncio.gather(
        *((one, two)[number % 2].post("/auth/refresh", {"refresh_token": one.refresh}) for number in range(50))
    )
    pairs = {(answer.data["access_token"], answer.data["refresh_token"]) for answer in answers if answer.status == 200}

    assert {answer.status for answer in answers} <= {200, 429}
    assert len(pairs) == 1
    ((access, refresh),) = pairs
    assert (await two.get("/auth/me")).told == (401, 10014)
    assert (await two.get("/auth/me", Authorization=f"Bearer {access}")).status == 200
    assert (await two.post("/auth/refresh", {"refresh_token": refresh})).status == 200
    assert (await one.post("/auth/refresh", {"refresh_token": one.refresh})).told == (401, 10016)
    assert (await two.post("/auth/refresh", {"refresh_token": refresh})).told == (401, 10014)


@ON_A_CLUSTER_TOO
async def test_who_signs_out_at_one_door_is_out_at_the_other(fleet: Fleet, client: Client) -> None:
    """At once, twenty times; also by the end of a device and by a new password (T18, T19)."""
    one, two = await fleet.joined(client)
    for number in range(20):
        assert [(await each.get("/auth/me")).status for each in (one, two)] == [200, 200]
        assert (await one.post("/auth/logout", {"all": bool(number % 2)})).data is None
        assert (await two.get("/auth/me")).told == (401, 10014)
        assert (await two.post("/auth/refresh", {"refresh_token": two.refresh})).told == (401, 10014)
        await one.login()
        two.access, two.refresh = one.access, one.refresh
        one, two = two, one
    body = {"old_password": PASSWORD, "new_password": "another long password"}
    await two.login()
    assert (await one.post("/auth/password/change", body)).data is None
    assert [(await each.get("/auth/me")).status for each in (one, two)] == [200, 401]


async def test_twenty_wrong_tries_at_two_doors_are_five(fleet: Fleet, client: Client) -> None:
    """However many processes count them (N07)."""
    one, two = await fleet.joined(client)
    tries = ({"email": one.email, "password": f"guess number {number}"} for number in range(20))
    answers = await asyncio.gather(
        *((one, two)[number % 2].post("/auth/login", each) for number, each in enumerate(tries))
    )

    assert [answer.told for answer in answers].count((401, 10006)) == 5
    assert {answer.told for answer in answers} == {(401, 10006), (429, 10007)}


async def test_a_code_typed_in_at_two_doors_at_once_is_good_once(fleet: Fleet, client: Client) -> None:
    """Twenty times at the same moment: one sign-in (N12)."""
    one, two = fleet.customers(client)
    code = await one.mail_code("login")
    body = {"email": one.email, "code": code}
    answers = await asyncio.gather(
        *((one, two)[number % 2].post("/auth/email-verify-login", body) for number in range(20))
    )

    assert [answer.status for answer in answers].count(200) == 1
    assert {answer.told for answer in answers} <= {(200, 10000), (422, 10106), (422, 10110)}


@ON_A_CLUSTER_TOO
async def test_twenty_equal_requests_at_two_doors_make_one_order(fleet: Fleet, client: Client) -> None:
    """With one Idempotency-Key: 409 while the first is at work, then its answer (O03)."""
    one, two = await fleet.joined(client)
    key = {"Idempotency-Key": "one-order"}
    answers = await asyncio.gather(
        *((one, two)[number % 2].post("/order/create", ORDER, **key) for number in range(20))
    )
    again = [await each.post("/order/create", ORDER, **key) for each in (one, two)]

    assert {answer.told for answer in answers} <= {(200, 10000), (409, 10032)}
    assert len({answer.data["order_no"] for answer in (*answers, *again) if answer.status == 200}) == 1
    assert (await two.get("/order/list")).data["total"] == 1


async def test_a_hundred_equal_reports_at_two_doors_are_one_payment(fleet: Fleet, client: Client) -> None:
    """All answered `success`; one move, one fulfilment, one grant (O07)."""
    one, two = await fleet.joined(client)
    order, headers, body = await a_report(fleet, one)
    answers = await asyncio.gather(*(post((one, two)[number % 2], headers, body) for number in range(100)))
    await one.mail(order["order_no"])

    assert {(answer.status, bytes(answer.body)) for answer in answers} == {(200, b"success")}
    paid = f"SELECT COUNT(*) FROM order_events WHERE order_no = '{order['order_no']}' AND cause ="
    assert fleet.sql(f"{paid} 'paid'").strip() == "1"
    granted = f"SELECT SUM(amount) FROM credit_entries WHERE account_id = {one.user['id']}"
    assert fleet.sql(granted).strip() == "100"
    assert len([mail for mail in await one.mails() if order["order_no"] in mail["text"]]) == 1


async def test_a_process_that_dies_after_its_answer_has_lost_nothing(fleet: Fleet, client: Client) -> None:
    """`success` was said, then kill -9: what was bought is handed over once, and the report sent again changes nothing (O14)."""
    one, two = await fleet.joined(client)
    order, headers, body = await a_report(fleet, one)
    assert bytes((await post(two, headers, body)).body) == b"success"
    fleet.kill_second()
    await one.becomes(order["order_no"], "PAID")

    async def handed_over() -> Any:
        return (await one.status(order["order_no"]))["fulfilled_at"]

    await until(handed_over)
    assert bytes((await post(one, headers, body)).body) == b"success"
    granted = f"SELECT SUM(amount) FROM credit_entries WHERE account_id = {one.user['id']}"
    assert fleet.sql(granted).strip() == "100"
    fleet.start_second()


async def test_no_log_line_holds_a_secret(fleet: Fleet, client: Client) -> None:
    """Passwords, codes, tokens and hashes, at level debug, in good times and while the database answers with errors (N17, T20)."""
    one, two = fleet.customers(client)
    words = ["canary-password-kept", "canary-password-wrong", "canary-password-next"]
    await one.register(words[0])
    await one.login(words[0])
    await two.post("/auth/login", {"email": one.email, "password": words[1]})
    code = await one.mail_code("login")
    await two.post("/auth/email-verify-login", {"email": one.email, "code": code})
    await one.get(f"/auth/me?access_token={one.access}", **{"X-Request-ID": "from-the-client-1"})
    pair = (await one.post("/auth/refresh", {"refresh_token": one.refresh})).data
    one.keep(pair)
    fleet.sql("RENAME TABLE users TO elsewhere")
    try:
        broken = [
            await two.post("/auth/login", {"email": one.email, "password": words[0]}),
            await two.register(words[2]),
            await two.post("/auth/email-verify-login", {"email": one.email, "code": code}),
            await one.post("/auth/password/change", {"old_password": words[0], "new_password": words[2]}),
        ]
    finally:
        fleet.sql("RENAME TABLE elsewhere TO users")
    fleet.sql("ALTER TABLE users RENAME COLUMN password_version TO nothing")
    try:
        broken.append(
            await two.post("/auth/password/reset", {"email": one.email, "code": code, "new_password": words[2]})
        )
        broken.append(await two.register(words[2]))
    finally:
        fleet.sql("ALTER TABLE users RENAME COLUMN nothing TO password_version")
    heard = fleet.log()

    assert "from-the-client-1" in heard
    assert 500 in {answer.status for answer in broken}
    assert "Traceback" in heard or "ProgrammingError" in heard
    secrets = [*words, PASSWORD, pair["access_token"], pair["refresh_token"], one.access.split(".")[2]]
    assert [secret for secret in secrets if secret in heard] == []
    assert "$argon2" not in heard
    assert re.search(rf"(?<![0-9]){code}(?![0-9])", heard) is None
    assert all(answer.body["msg"] == "Something went wrong on our side." for answer in broken if answer.status == 500)
