"""How soon the API answers and how much memory it takes, and how it answers while ten videos are rendered."""

import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import servers
from benchmarks.measure import Finding, percentile
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import Client, http_client
from support.installation import Caller, Installation, calling, installed, portrait
from support.servers import postgres, redis
from support.stand import Phone

VIDEOS = 10
START_GOAL, MEMORY_GOAL = 3.0, 200.0
EVERY_SECONDS = 0.02


async def run(*, quick: bool) -> list[Finding]:
    """One API process on PostgreSQL and Redis; then a whole embedded installation."""
    return [*await _started(3 if quick else 5), await _while_rendering(3.0 if quick else 20.0)]


async def _started(rounds: int) -> list[Finding]:
    with postgres() as database, redis() as store, tempfile.TemporaryDirectory() as folder:
        url = database.create_database("start")
        settings = load_settings(env="test", data=Path(folder), database_url=url)
        await asyncio.to_thread(migrations.upgrade, settings)
        environment = {
            "HUTONG_ENV": "test",
            "HUTONG_DATA": folder,
            "HUTONG_DATABASE_URL": url,
            "HUTONG_STORE_URL": store.url,
            "HUTONG_LOG__LEVEL": "warning",
        }
        took, megabytes = [], []
        for _ in range(rounds):
            port = servers.port()
            async with servers.process(["-m", "hutong", "serve", "--port", str(port)], environment) as api:
                took.append(await servers.answering(f"http://127.0.0.1:{port}/livez"))
                megabytes.append(await _used(api, port))
    return [
        Finding("API: from start to its first answer", "", "", max(took), "s", START_GOAL, "less"),
        Finding("API: memory after 2,000 requests", "", "", max(megabytes), "MiB", MEMORY_GOAL, "less"),
    ]


async def _used(api: psutil.Process, port: int) -> float:
    await servers.answering(f"http://127.0.0.1:{port}/readyz")
    count = 0
    while count < 2_000:
        count += await servers.load(port, "/livez", 0.2)
    return float(api.memory_info().rss / 2**20)


async def _while_rendering(seconds: float) -> Finding:
    """Ten phones make one video after the other for so long: ten are in the making at any moment."""
    environment = {"HUTONG_SANDBOX__RUNNING_LIMIT": str(VIDEOS), "HUTONG_DASHSCOPE__IN_FLIGHT": str(VIDEOS)}
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder) / "data", environment) as installation:
        installation.up()
        async with calling(installation) as caller:
            phones = [await caller.phone(f"bench-device-{number}") for number in range(VIDEOS)]
            for phone in phones:
                granted = await asyncio.to_thread(installation.run, "credits", "grant", phone.user["id"], "1000000")
                assert granted.returncode == 0, granted.stderr
            over = asyncio.Event()
            watching = asyncio.create_task(_watch(installation, over))
            begun = time.perf_counter()
            made = await asyncio.gather(
                *(_render(caller, phone, number, begun + seconds) for number, phone in enumerate(phones))
            )
            took = time.perf_counter() - begun
            over.set()
            millis = await watching
    return Finding(
        f"GET /livez while {VIDEOS} videos render at any moment ({sum(made)} in {took:.0f} s), p99",
        f"median {percentile(millis, 0.5):.1f} ms, {len(millis)} asked",
        "",
        percentile(millis, 0.99),
        "ms",
    )


async def _render(caller: Caller, phone: Phone, number: int, until: float) -> int:
    """How many videos one phone made; each of another picture, so that nothing is taken from a cache."""
    made = 0
    while time.perf_counter() < until:
        link = await phone.uploaded(portrait(number + VIDEOS * made))
        task = await caller.ended(phone, (await phone.create(link)).data["task_id"], 300)
        assert task["status"] == "completed", task
        made += 1
    return made


async def _watch(installation: Installation, over: asyncio.Event) -> list[float]:
    """Milliseconds that each answer took until it is `over`."""
    millis: list[float] = []
    async with http_client(30) as client:
        while not over.is_set():
            millis.append(await _asked(client, f"{installation.base}/livez"))
            await asyncio.sleep(EVERY_SECONDS)
    return millis


async def _asked(client: Client, url: str) -> float:
    begun = time.perf_counter()
    async with client.get(url) as answer:
        await answer.read()
    return (time.perf_counter() - begun) * 1000
