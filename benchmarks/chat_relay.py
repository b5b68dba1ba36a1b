"""Relaying a streamed answer of 54 events: the gateway with all its wrappers beside a bare relay on aiohttp.

Both take the stream from the same provider (another process) and end with the bytes of each chunk, ready to be sent on. The
bare one reads what there is, cuts it at blank lines, parses each chunk, takes its text and writes it again under another name
of the model: no limits, no time-outs, no usage, no breaker, no metrics, no care for cuts.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

import orjson

from benchmarks import servers
from benchmarks.chat_upstream import EVENTS
from benchmarks.measure import Cost, Finding, Round, Stopwatch, alternate, median
from hutong.host.chatting import open_chats
from hutong.host.settings import load_settings
from hutong.kernel.config import Document
from hutong.kernel.gateway.chat import ChatCall
from hutong.kernel.gateway.models import Models
from hutong.kernel.http.outbound import Outbound
from hutong.kit.clock import SystemClock
from support.http import Client, http_client

AT_ONCE = 32
GOAL = 2.0
GOAL_MICROS = 25.0
DOCUMENT = (
    b'{"models": {"mock": {"routes": ["mock:mock-1"]}}, "facts": {"mock:mock-1": {"window": 8000, "price_out": 1000}}}'
)
BODY = {"model": "mock", "messages": [{"role": "user", "content": "Tell me something about lanes. " * 6}]}
Relay = Callable[[], Awaitable[int]]


async def run(*, quick: bool) -> list[Finding]:
    """CPU of this process for one stream, both ways in turn."""
    streams, rounds = (1000, 3) if quick else (3000, 6)
    port = servers.port()
    url = f"http://127.0.0.1:{port}/v1"
    async with servers.process(["-m", "benchmarks.chat_upstream", str(port)], {}), http_client() as client:
        await servers.answering(f"{url}/models")
        async with _gateway(url) as ours:
            mine, bare = _round(ours, streams), _round(_bare(client, url), streams)
            await mine()
            await bare()
            costs, floor = await alternate(mine, bare, rounds)
    return _findings(costs, floor)


def _findings(ours: list[Cost], bare: list[Cost]) -> list[Finding]:
    micros, other = (median(costs, lambda cost: cost.cpu_micros) for costs in (ours, bare))
    return [
        Finding(
            f"a stream of {len(EVENTS)} events, {AT_ONCE} at once",
            f"{micros:,.0f} µs CPU",
            f"bare aiohttp relay: {other:,.0f} µs CPU",
            micros / other,
            goal=GOAL,
            better="less",
        ),
        Finding(
            "the same, for each event",
            f"{micros / len(EVENTS):.1f} µs CPU",
            f"{other / len(EVENTS):.1f} µs CPU",
            micros / len(EVENTS),
            "µs",
            GOAL_MICROS,
            "less",
        ),
    ]


def _round(relay: Relay, streams: int) -> Round:
    async def measured() -> Cost:
        waiting = iter(range(streams))

        async def work() -> None:
            for _ in waiting:
                assert await relay() == len(EVENTS) - 1

        watch = Stopwatch()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return watch.cost(streams)

    return measured


@asynccontextmanager
async def _gateway(url: str) -> AsyncIterator[Relay]:
    provider = {"name": "mock", "base_url": url, "api_key": "sk-of-nobody"}
    outbound, document = Outbound(allow_private=True), Document("models.json", Models, DOCUMENT)
    with TemporaryDirectory() as folder:
        settings = load_settings(env="test", data=folder, openai={"providers": [provider]})
        chats = open_chats(settings, outbound, outbound, SystemClock(), document)

    async def relay() -> int:
        stream = await chats.stream(ChatCall("mock", BODY, 7, "req"), vip=False)
        count = size = 0
        async for delta in stream:
            count += 1
            size += len(b"data: " + delta.raw + b"\n\n") + len(delta.text)
        receipt = await stream.receipt()
        assert receipt.usage.completion
        assert size
        return count

    yield relay
    await outbound.close()


def _bare(client: Client, url: str) -> Relay:
    asked = orjson.dumps({**BODY, "stream": True, "stream_options": {"include_usage": True}})

    async def relay() -> int:
        count = size = 0
        rest = b""
        async with client.post(f"{url}/chat/completions", data=asked) as answer:
            async for some in answer.content.iter_any():
                *events, rest = (rest + some).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    chunk = orjson.loads(event[6:])
                    chunk["model"] = "mock"
                    text = chunk["choices"][0]["delta"].get("content", "") if chunk["choices"] else ""
                    count += 1
                    size += len(b"data: " + orjson.dumps(chunk) + b"\n\n") + len(text)
        return count

    return relay
