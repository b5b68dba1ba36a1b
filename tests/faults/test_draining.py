"""SIGTERM, without a load balancer in front: what is running is answered, what comes later is refused, exit status 0."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hutong.host.draining import turn_away
from support.http import free_listener, http_client
from support.installation import Installation, calling, installed, portrait
from support.stand import Phone, photo, until

NOTICE_SECONDS = 1.0
ALIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

pytestmark = [pytest.mark.slow]
QUIET_DOOR = pytest.mark.skipif(sys.platform != "linux", reason="turn_away does nothing where sockets have no filters")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    environment = {"HUTONG_HTTP__NOTICE_SECONDS": str(NOTICE_SECONDS), "HUTONG_HTTP__DRAIN_SECONDS": "10"}
    with installed(tmp_path / "data", environment) as made:
        yield made


async def _served(installation: Installation) -> "subprocess.Popen[bytes]":
    assert (await asyncio.to_thread(installation.run, "migrate")).returncode == 0
    installation.start("store")
    process = installation.start("serve", "--port", str(installation.port))
    async with calling(installation):
        return process


@asynccontextmanager
async def _connected(installation: Installation) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    """Status, headers in small letters, body."""
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n", 1)[0])
        return int(head.split(" ", 2)[1]), head, await reader.readexactly(length)


async def _asked(stream: Stream, request: bytes = ALIVE) -> tuple[int, str, bytes]:
    stream[1].write(request)
    return await _answer(stream[0])


async def test_a_running_request_is_answered_and_a_new_connection_refused(installation: Installation) -> None:
    process = await _served(installation)
    async with http_client() as client:
        phone = await Phone(client, installation.base).login("draining")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
        + photo()
        + b"\r\n--b--\r\n"
    )
    head = (
        "POST /emoji/api/v1/emoji/upload HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {phone.token}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    async with _connected(installation) as running, _connected(installation) as idle, _connected(installation) as used:
        assert (await _asked(idle))[0] == 200
        running[1].write(head + body[:100])
        await running[1].drain()
        assert "connection: close" not in (await _asked(used))[1]

        process.terminate()
        begun = time.monotonic()
        await _noticed(installation)
        status, headers, _ = await _asked(used)
        assert (status, "connection: close" in headers) == (200, True), "served during the notice, and let go"
        assert await used[0].read() == b""
        assert await asyncio.wait_for(idle[0].read(), 10) == b"", "an idle connection is closed after the notice"
        assert time.monotonic() - begun >= NOTICE_SECONDS
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", installation.port)
        assert process.poll() is None, "it waits for the request that runs"

        status, headers, content = await _asked(running, body[100:])
        assert (status, json.loads(content)["code"], "connection: close" in headers) == (200, 0, True)
    assert await asyncio.to_thread(process.wait, 10) == 0


async def _noticed(installation: Installation) -> None:
    """Wait until a new connection is told that this process drains: 503 for a load balancer's question."""

    async def says_so() -> bool:
        async with _connected(installation) as stream:
            status, _, body = await _asked(stream, ALIVE.replace(b"livez", b"readyz"))
            return (status, json.loads(body)["status"]) == (503, "draining")

    await until(says_so, 5)


@QUIET_DOOR
async def test_a_connection_at_the_last_moment_is_served(installation: Installation) -> None:
    """Connections are opened by many, without a pause, until they are refused: each that was let in gets an answer."""
    process = await _served(installation)
    answered = 0

    async def knock() -> None:
        nonlocal answered
        while True:
            try:
                stream = await asyncio.open_connection("127.0.0.1", installation.port)
            except ConnectionRefusedError:
                return
            assert (await _asked(stream))[0] == 200
            answered += 1
            stream[1].close()

    process.terminate()
    await asyncio.gather(*(knock() for _ in range(50)))
    assert answered > 100
    assert await asyncio.to_thread(process.wait, 10) == 0


@QUIET_DOOR
def test_a_deaf_socket_gives_what_had_knocked_and_hears_nobody_else() -> None:
    with free_listener() as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as early, socket.socket() as late:
            turn_away([listener])
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                late.connect(address)
            early.sendall(b"hello")
            with listener.accept()[0] as accepted:
                assert accepted.recv(5) == b"hello"
                accepted.sendall(b"answer")
                assert early.recv(6) == b"answer"
            listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


async def test_without_a_notice_it_goes_at_once(installation: Installation, tmp_path: Path) -> None:
    with installed(tmp_path / "data") as hurried:
        process = await _served(hurried)
        async with _connected(hurried) as idle:
            assert (await _asked(idle))[0] == 200
            begun = time.monotonic()
            process.terminate()
            assert await asyncio.to_thread(process.wait, 10) == 0
            assert time.monotonic() - begun < 3
            assert await idle[0].read() == b""


async def test_a_worker_finishes_or_gives_back_its_jobs(installation: Installation) -> None:
    """No job stays taken by the worker that left: the next worker needs to wait for no lease, and the video is made."""
    await _served(installation)
    async with calling(installation) as caller:
        phone = await caller.phone("draining-worker")
        for number in range(3):
            worker = installation.start("worker")
            image_url = await phone.uploaded(portrait(number))
            task_id = (await phone.create(image_url)).data["task_id"]

            async def begun(task_id: str = task_id) -> bool:
                return str((await phone.task(task_id))["status"]) != "pending"

            await until(begun)
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, 40) == 0
            assert _taken(installation) == 0
        installation.start("worker")
        assert (await caller.ended(phone, task_id))["status"] == "completed"


def _taken(installation: Installation) -> int:
    """Jobs that a worker holds."""
    import sqlite3

    with sqlite3.connect(installation.data / "hutong.db") as connection:
        ((taken,),) = connection.execute("SELECT COUNT(*) FROM jobs WHERE state = 'running'").fetchall()
    connection.close()
    return int(taken)
