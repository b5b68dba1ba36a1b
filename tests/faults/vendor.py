"""The DashScope sandbox as a party of its own: it outlives every kill, draws cheaply, and remembers what it told whom."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hutong.host.wiring import SANDBOX_PATH
from hutong.providers.dashscope.sandbox import Sandbox, SandboxSettings, create_sandbox, queue
from hutong.providers.dashscope.sandbox.queue import Task
from support.http import Client, free_listener, http_client, listening
from support.stand import WidthVision

CREATE = "/video-synthesis"
EVERYTHING = 10_000_000
LIMITS = {"running_limit": 6, "submit_per_second": 500, "detect_per_second": 500, "query_per_second": 1000}


@dataclass
class Vendor:
    """A running sandbox.

    `told` are the ids of the generations whose answer left this machine whole; of all others nobody can know.
    """

    base: str
    sandbox: Sandbox
    client: Client
    told: set[str] = field(default_factory=set)
    latency: float = 0.15

    @property
    def url(self) -> str:
        """What Hutong is told as the vendor's address."""
        return f"{self.base}{SANDBOX_PATH}/api/v1"

    async def press(self, button: str, **values: Any) -> bool:
        """A button of the sandbox's page; False when the task it is for has moved on meanwhile."""
        url = f"{self.base}{SANDBOX_PATH}/control/{button}"
        async with self.client.post(url, json=values, headers={"Accept": "application/json"}) as answer:
            assert answer.status in {200, 409}, await answer.text()
            return answer.status == 200

    async def tasks(self) -> Sequence[Task]:
        """Every generation ever accepted, the newest first."""
        return await self.sandbox.state.read(queue.latest, EVERYTHING)


def _listened(app: ASGIApp, vendor: list[Vendor]) -> ASGIApp:
    """The app, slowed down as ordered, with an ear on the answers to submissions."""

    async def heard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/api/v1/" not in scope["path"]:
            await app(scope, receive, send)
            return
        if vendor[0].latency:
            await asyncio.sleep(vendor[0].latency)
        body = bytearray()

        async def listen(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and scope["path"].endswith(CREATE):
                body.extend(message.get("body", b""))

        await app(scope, receive, listen)
        if body and (task_id := orjson.loads(body).get("output", {}).get("task_id")):
            vendor[0].told.add(task_id)

    return heard


@asynccontextmanager
async def vendor_open(folder: Path, **limits: float) -> AsyncIterator[Vendor]:
    """A sandbox on a free port that keeps its state in `folder`."""
    with free_listener() as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = SandboxSettings(folder=folder, public_url=base + SANDBOX_PATH, **{**LIMITS, **limits})
        app = create_sandbox(settings, WidthVision())
        found: list[Vendor] = []
        host = Starlette(routes=[Mount(SANDBOX_PATH, _listened(app, found))])
        async with http_client(30) as client:
            found.append(Vendor(base, app.state.sandbox, client))
            async with listening(host, listener):
                await found[0].sandbox.start()
                try:
                    yield found[0]
                finally:
                    await found[0].sandbox.close()
