"""2,000 idle WebSockets of signed-in users: memory of the chat app for each, beside a bare endpoint of the same server.

Both run the production server. A first few hundred sockets come before the measurement, so that what is loaded or allocated
only once does not count. The bare endpoint knows no user: it accepts, takes a frame, answers, and waits.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import psutil

from benchmarks import servers
from benchmarks.measure import Finding
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client
from support.servers import postgres, redis
from support.sockets import Hand, open_by_hand
from support.talker import Talker

PATH = "/chat/api/v1/ws"
GOAL_KIB = 4.0
PER_USER = 10
FIRST = 300
SETTLE_SECONDS = 2.0
ROOMY = {
    "HUTONG_AUTH__CALLS_PER_MINUTE": "100000",
    "HUTONG_AUTH__REGISTRATIONS_PER_IP_DAY": "100000",
    "HUTONG_LIMITS__IP_PER_MINUTE": "100000",
    "HUTONG_LOG__LEVEL": "warning",
    "HUTONG_ENV": "test",
}


async def run(*, quick: bool) -> list[Finding]:
    """Resident memory of each server before and after its idle sockets."""
    count = 500 if quick else 2000
    async with AsyncExitStack() as stack:
        database, store = stack.enter_context(postgres()), stack.enter_context(redis())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = database.create_database("sockets")
        await asyncio.to_thread(migrations.upgrade, load_settings(env="test", data=folder, database_url=url))
        environment = {**ROOMY, "HUTONG_DATA": str(folder), "HUTONG_DATABASE_URL": url, "HUTONG_STORE_URL": store.url}
        ports = servers.port(), servers.port()
        ours = await stack.enter_async_context(
            servers.process(["-m", "hutong", "serve", "--port", str(ports[0])], environment)
        )
        bare = await stack.enter_async_context(
            servers.process(["-m", "benchmarks.chat_socket_floor", str(ports[1])], {})
        )
        await servers.answering(f"http://127.0.0.1:{ports[0]}/readyz")
        tokens = await _tokens(ports[0], (FIRST + count) // PER_USER)
        mine = await _kib_each(ours, ports[0], tokens, count)
        floor = await _kib_each(bare, ports[1], tokens, count)
    return [
        Finding(
            f"an idle WebSocket, of {count:,}, beyond a bare one",
            f"{mine:.1f} KiB",
            f"bare endpoint: {floor:.1f} KiB",
            mine - floor,
            "KiB",
            GOAL_KIB,
            "less",
        )
    ]


async def _tokens(port: int, users: int) -> Sequence[str]:
    """A token for each socket, `PER_USER` of each user."""
    base = f"http://127.0.0.1:{port}"
    async with http_client(60) as client:
        talkers = [Talker(client, base, f"idler{number}") for number in range(users)]
        for begin in range(0, users, 8):
            await asyncio.gather(*(talker.join() for talker in talkers[begin : begin + 8]))
    return [talker.token for talker in talkers for _ in range(PER_USER)]


async def _kib_each(process: psutil.Process, port: int, tokens: Sequence[str], count: int) -> float:
    hands = [await _come_in(port, token) for token in tokens[:FIRST]]
    before = await _resident(process)
    hands += [await _come_in(port, token) for token in tokens[FIRST : FIRST + count]]
    after = await _resident(process)
    for hand in hands:
        hand.cut()
    return (after - before) / 1024 / count


async def _resident(process: psutil.Process) -> int:
    await asyncio.sleep(SETTLE_SECONDS)
    return int(process.memory_info().rss)


async def _come_in(port: int, token: str) -> Hand:
    hand = await open_by_hand(f"http://127.0.0.1:{port}", PATH)
    hand.send(orjson.dumps({"type": "hello", "token": token}))
    _, content = await hand.hear()
    assert orjson.loads(content)["type"] == "ready", content
    return hand
