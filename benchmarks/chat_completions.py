"""POST /v1/chat/completions with key, quota and record, beside LiteLLM's proxy, Open WebUI and a bare parsing relay.

All four ask the same provider, which answers at once; ours runs on PostgreSQL and Redis with everything on. CPU of the server
for a request is the figure. 100 streams of a token each 20 ms tell how long a first token waits. Goals: the issue's.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil

from benchmarks import balance, servers
from benchmarks.chat_load import ask, request
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate_all, median, percentile
from benchmarks.peer_environment import python_of, version_of
from hutong.host import migrations
from hutong.host.settings import load_settings
from support.http import http_client
from support.servers import postgres, redis
from support.talker import Talker

LITELLM, WEBUI = "litellm", "open_webui"
GOALS = {"JSON": {LITELLM: 1 / 8, WEBUI: 1 / 4}, "54 events": {LITELLM: 1 / 15, WEBUI: 1 / 3, "floor": 2.0}}
PACED = 100
FIRST_TOKEN = 3.0
MASTER_KEY = "sk-bench"
DOCUMENT = """
models:
  mock: {routes: ["mock:mock-1"]}
  paced: {routes: ["paced:mock-1"]}
facts:
  "mock:mock-1": {window: 128000, output: 4096, price_in: 150000, price_out: 600000}
  "paced:mock-1": {window: 128000, output: 4096}
"""


class Server(NamedTuple):
    """A server under test: its process, where it listens, what a call needs, and its name for the model."""

    process: psutil.Process
    port: int
    path: str
    headers: Mapping[str, str]
    model: str = "mock"

    def asks(self, *, stream: bool, model: str = "") -> bytes:
        return request(self.path, self.headers, stream=stream, model=model or self.model)


async def run(*, quick: bool) -> list[Finding]:
    """All servers run at once, but only one is asked at a time."""
    seconds, rounds = (1.0, 2) if quick else (3.0, 4)
    pythons = {peer: await asyncio.to_thread(python_of, peer) for peer in (LITELLM, WEBUI)}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = servers.port()
        provider = await stack.enter_async_context(
            servers.process(["-m", "benchmarks.chat_upstream", str(upstream)], {})
        )
        await servers.answering(f"http://127.0.0.1:{upstream}/v1/models")
        found = {
            "ours": await stack.enter_async_context(_ours(folder, upstream)),
            "floor": await stack.enter_async_context(_floor(upstream)),
            LITELLM: await stack.enter_async_context(_litellm(pythons[LITELLM], folder, upstream)),
            WEBUI: await stack.enter_async_context(_webui(pythons[WEBUI], folder, upstream)),
        }
        findings = []
        for what, stream in (("JSON", False), ("54 events", True)):
            measured = {name: _round(server, seconds, stream=stream) for name, server in found.items()}
            for first in measured.values():
                await first()
            findings += _findings(what, await alternate_all(measured, rounds))
        direct = Server(provider, upstream, "/paced/v1/chat/completions", {})
        findings.append(await _paced(found["ours"], direct, rounds))
    return findings


def _round(server: Server, seconds: float, *, stream: bool) -> Round:
    async def asked() -> Cost:
        watch = Stopwatch(server.process)
        return watch.cost(sum(asker.answered for asker in await ask(server.port, server.asks(stream=stream), seconds)))

    return asked


def _findings(what: str, costs: Mapping[str, list[Cost]]) -> list[Finding]:
    millis = {name: median(rounds, lambda cost: cost.cpu_micros) / 1000 for name, rounds in costs.items()}
    rates = {name: median(rounds, lambda cost: cost.per_second) for name, rounds in costs.items()}
    told = {name: f"{millis[name]:.2f} ms CPU, {rates[name]:,.0f}/s" for name in costs}
    names = {LITELLM: version_of(LITELLM, "litellm"), WEBUI: version_of(WEBUI, "open-webui"), "floor": "bare relay"}
    return [
        Finding(
            f"{what}, beside {name}",
            told["ours"],
            f"{name}: {told[peer]}",
            millis["ours"] / millis[peer],
            goal=GOALS[what].get(peer),
            better="less",
        )
        for peer, name in names.items()
    ]


async def _paced(ours: Server, direct: Server, rounds: int) -> Finding:
    waits: dict[str, list[float]] = {"ours": [], "direct": []}
    for _ in range(rounds):
        for name, server in (("ours", ours), ("direct", direct)):
            askers = await ask(server.port, server.asks(stream=True, model="paced"), 0, PACED)
            waits[name] += [asker.first_token for asker in askers if asker.first_token is not None]
    mine, other = (percentile(waits[name], 0.5) * 1000 for name in ("ours", "direct"))
    what = f"first token of {PACED} paced streams at once, p50"
    return Finding(what, f"{mine:.0f} ms", f"direct: {other:.0f} ms", mine / other, goal=FIRST_TOKEN, better="less")


@asynccontextmanager
async def _ours(folder: Path, upstream: int) -> AsyncIterator[Server]:
    with postgres() as database, redis() as store:
        data = folder / "ours"
        (data / "config").mkdir(parents=True)
        (data / "config" / "models.yaml").write_text(DOCUMENT, "utf-8")
        url, port = database.create_database("chat"), servers.port()
        await asyncio.to_thread(migrations.upgrade, load_settings(env="test", data=data, database_url=url))
        environment = {**balance.environment(data, url, store.url), **_chat_environment(upstream)}
        serve = ["-m", "hutong", "serve", "--port", str(port)]
        async with servers.process(serve, environment) as api, http_client() as client:
            await servers.answering(f"http://127.0.0.1:{port}/readyz")
            talker = await Talker(client, f"http://127.0.0.1:{port}", "bench").join()
            secret = (await talker.call("POST", "/users/me/keys", json={"name": "bench"})).ok["secret"]
            headers = {"Authorization": f"Bearer {secret}"}
            yield Server(api, port, "/chat/v1/chat/completions", headers)


def _chat_environment(upstream: int) -> dict[str, str]:
    """Two names for one provider; quotas that count but refuse nobody."""
    at = f"http://127.0.0.1:{upstream}"
    usual = {"api_key": "sk-x", "private": True, "concurrency": 1000}
    providers = [
        {"name": "mock", "base_url": f"{at}/v1", **usual},
        {"name": "paced", "base_url": f"{at}/paced/v1", **usual},
    ]
    quotas = ("DAILY_REQUESTS", "MONTHLY_REQUESTS", "DAILY_TOKENS", "MONTHLY_TOKENS")
    limits = {f"HUTONG_CHAT__QUOTA__{name}": "1000000000000" for name in quotas}
    return {"HUTONG_OPENAI__PROVIDERS": orjson.dumps(providers).decode(), **limits}


@asynccontextmanager
async def _floor(upstream: int) -> AsyncIterator[Server]:
    port = servers.port()
    words = ["-m", "benchmarks.chat_floor", str(port), f"http://127.0.0.1:{upstream}/v1"]
    async with servers.process(words, {}) as relay:
        await servers.answering(f"http://127.0.0.1:{port}/")
        yield Server(relay, port, "/v1/chat/completions", {})


@asynccontextmanager
async def _litellm(python: Path, folder: Path, upstream: int) -> AsyncIterator[Server]:
    """As the reference ran it: one worker, a master key, no database, quiet."""
    port, config = servers.port(), folder / "litellm.yaml"
    parameters = {"model": "openai/mock-1", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-x"}
    listed = [{"model_name": "mock", "litellm_params": parameters}]
    config.write_bytes(orjson.dumps({"model_list": listed, "general_settings": {"master_key": MASTER_KEY}}))
    words = [str(python.with_name("litellm")), "--config", str(config), "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True", "PYTHONPATH": ""}
    async with servers.process(words, quiet, python=str(python)) as proxy:
        await servers.answering(f"http://127.0.0.1:{port}/health/liveliness", 120)
        yield Server(proxy, port, "/v1/chat/completions", {"Authorization": f"Bearer {MASTER_KEY}"})


@asynccontextmanager
async def _webui(python: Path, folder: Path, upstream: int) -> AsyncIterator[Server]:
    """As the reference ran it: SQLite, the API's path with a user's token."""
    port, data = servers.port(), folder / "webui"
    data.mkdir()
    environment = {
        "DATA_DIR": str(data),
        "WEBUI_SECRET_KEY": MASTER_KEY,
        "OPENAI_API_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "sk-x",
        "ENABLE_OLLAMA_API": "false",
        "OFFLINE_MODE": "true",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "GLOBAL_LOG_LEVEL": "ERROR",
        "PYTHONPATH": "",
    }
    words = ["-m", "uvicorn", "open_webui.main:app", "--port", str(port), "--log-level", "error"]
    async with servers.process(words, environment, python=str(python)) as webui:
        at = f"http://127.0.0.1:{port}"
        await servers.answering(f"{at}/health", 180)
        token = await _webui_token(at)
        headers = {"Authorization": f"Bearer {token}"}
        yield Server(webui, port, "/api/chat/completions", headers, "mock-1")


async def _webui_token(at: str) -> str:
    """Of its first user, once it has asked the provider for its models."""
    joined: dict[str, Any] = {"name": "Bench", "email": "bench@example.com", "password": MASTER_KEY}
    async with http_client(30) as client:
        async with client.post(f"{at}/api/v1/auths/signup", json=joined) as answer:
            token = str((await answer.json())["token"])
        async with client.get(f"{at}/api/models", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200, await answer.text()
    return token
