"""API processes behind the Nginx of production are restarted in turn under load, and no request fails.

`HUTONG_TEST_ROLLING_REQUESTS=20000` asks for more than the usual; docs/operations/rolling-restart.md has the command.
"""

import asyncio
import io
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from support.http import Client, http_client
from support.installation import Installation, installed
from support.nginx import Nginx, nginx
from support.processes import free_port
from support.servers import PostgreSQL, Redis
from support.stand import Phone, photo, until

REQUESTS = int(os.environ.get("HUTONG_TEST_ROLLING_REQUESTS", "3000"))
RESTARTS = 4
CLIENTS = 12
NOTICE_SECONDS = 1.5
QUICKER = {"keepalive_timeout 4s;": "keepalive_timeout 1s;"}
"""Nginx lets go of idle connections before the notice is over, as in production, only sooner."""

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Street:
    """Two API processes behind one Nginx."""

    installation: Installation
    front: Nginx
    ports: tuple[int, int]
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    async def start(self, client: Client, port: int) -> None:
        self.processes[port] = self.installation.start("serve", "--port", str(port))

        async def ready() -> bool:
            try:
                async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, 60)

    async def restart(self, client: Client, port: int) -> int:
        """Stop one process in order and start it again; returns its exit status."""
        process = self.processes[port]
        process.terminate()
        status = await asyncio.to_thread(process.wait, 60)
        await self.start(client, port)
        return status


@dataclass
class Load:
    """Clients that keep their connections and ask again as soon as they were answered."""

    base: str
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self, number: int) -> None:
        """Sign in, upload, ask for the balance, renew the token, again and again, on one connection."""
        connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=30)
        async with Client(connector=connector, timeout=timeout) as client:
            phone, device, picture = Phone(client, self.base), f"rolling-{number}", photo(shade=number)
            await phone.login(device)
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "login": lambda: phone.login(device),
                "upload": lambda: phone.uploaded(picture),
                "balance": phone.balance,
                "profile": lambda: phone.call("GET", "/user/profile"),
            }
            for turn in count():
                if self.over.is_set():
                    return
                name = ("login", "balance", "upload", "balance", "profile", "login")[turn % 6]
                await self._tried(name, calls[name])

    async def _tried(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except Exception as error:
            self.failures.append(f"{name}: {error!r}"[:500])
        else:
            self.answers[name] += 1


@pytest.fixture
async def street(tmp_path: Path, postgres_server: PostgreSQL, redis_server: Redis) -> AsyncIterator[Street]:
    redis_server.flush()
    ports = (free_port(), free_port())
    with nginx(ports, QUICKER) as front:
        environment = {
            "HUTONG_DATABASE_URL": postgres_server.create_database("rolling"),
            "HUTONG_STORE_URL": redis_server.url,
            "HUTONG_PUBLIC_URL": front.url,
            "HUTONG_HTTP__NOTICE_SECONDS": str(NOTICE_SECONDS),
            "HUTONG_HTTP__TRUSTED_PROXIES": '["127.0.0.1/32"]',
        }
        with installed(tmp_path / "data", environment) as installation:
            assert installation.run("migrate").returncode == 0
            yield Street(installation, front, ports)
    postgres_server.drop_database("rolling")


async def test_no_request_fails_while_processes_restart_in_turn(street: Street) -> None:
    """Keep-alive clients, half of whose requests are POSTs, which Nginx never sends twice."""
    async with http_client() as operator:
        await asyncio.gather(*(street.start(operator, port) for port in street.ports))
        load = Load(street.front.url)
        clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
        statuses: list[int] = []
        during: list[int] = []
        turns = count()
        while len(statuses) < RESTARTS or (load.answers.total() < REQUESTS and not load.failures):
            before = load.answers.total()
            statuses.append(await street.restart(operator, street.ports[next(turns) % 2]))
            during.append(load.answers.total() - before)
        load.over.set()
        await asyncio.gather(*clients)

    assert load.failures == [], f"{len(load.failures)} of {load.answers.total()}\n{street.front.complaints()[-2000:]}"
    assert load.answers.total() >= REQUESTS
    assert set(statuses) == {0}
    assert min(during) > CLIENTS, "a restart without load proves nothing"
    assert load.answers["login"] + load.answers["upload"] > REQUESTS * 0.4


async def test_nginx_keeps_the_hosts_own_pages_from_the_outside(street: Street) -> None:
    """Metrics, readiness and the sandbox answer on the process, and not through Nginx, however they are spelt."""
    async with http_client() as client:
        await street.start(client, street.ports[0])
        outside = {}
        for path in ("/metrics", "/%6detrics", "//metrics", "/readyz", "/sandbox/dashscope/", "/sandbox/../sandbox/x"):
            async with client.get(street.front.url + path) as answer:
                outside[path] = answer.status
        async with client.get(f"{street.front.url}/livez") as answer:
            alive = answer.status
        async with client.get(f"http://127.0.0.1:{street.ports[0]}/metrics") as answer:
            inside = answer.status

    assert set(outside.values()) == {404}, outside
    assert (alive, inside) == (200, 200)


async def test_what_is_too_large_is_refused_in_the_apps_own_words(street: Street) -> None:
    """Nginx lets a little more through than the app takes, so that a client always meets the contract's body."""
    async with http_client() as client:
        await street.start(client, street.ports[0])
        phone = await Phone(client, street.front.url).login("too-large")
        long = io.BytesIO(b'"' + b"x" * 1_500_000 + b'"')
        body = await phone.call("POST", "/auth/login", data=long, headers={"Content-Type": "application/json"})
        picture = await phone.upload(b"x" * (10 * 1024 * 1024 + 200_000))

    assert [(reply.status, reply.code) for reply in (body, picture)] == [(413, 413001)] * 2
