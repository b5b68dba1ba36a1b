"""A whole Hutong in the test's own loop: API on a loopback port, worker, sandbox, and phones that call it."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from hutong.host.asgi import HostApp
from hutong.host.sandboxes import Sandboxes
from hutong.host.settings import Settings, load_settings
from hutong.host.wiring import Host
from hutong.providers.dashscope.sandbox.ports import Box, Inspection
from support import deadlines
from support.customer import Customer
from support.http import Client, free_listener, http_client, listening
from support.rsa_keys import ready_keys

until = deadlines.until
NO_FACE, TWO_FACES, VIOLATION, FACE = 401, 402, 403, 500
TEMPLATE = "mengwa_kaixin"
VIDEO = b"\0\0\0\x18ftypmp42" + b"moving pictures" * 100
REFUSALS = {NO_FACE: "InvalidFile.NoHuman", TWO_FACES: "InvalidFile.MultiHuman", VIOLATION: "DataInspectionFailed"}
FAST: Mapping[str, Any] = {
    "auth": {"hash_threads": 2},
    "mail": {"per_minute": 60_000},
    "sandbox": {"running_limit": 4, "submit_per_second": 500, "detect_per_second": 500, "query_per_second": 1000},
    "dashscope": {"in_flight": 4, "submit_per_second": 500, "detect_per_second": 500, "query_per_second": 900},
    "openai_sandbox": {"first_token_seconds": 0, "between_tokens_seconds": 0},
    "emoji": {"poll_seconds": 0.1},
    "jobs": {"sweep_seconds": 0.1},
}


def photo(width: int = FACE, height: int = 520, shade: int = 150) -> bytes:
    """A picture whose width tells `WidthVision` what is on it."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (shade, 120, 90)).save(out, "PNG")
    return out.getvalue()


class WidthVision:
    """A deterministic eye behind the real sandbox: the picture's width says what it shows."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def inspect(self, image: bytes) -> Inspection:
        width = Image.open(io.BytesIO(image)).width
        if width in REFUSALS:
            return {"passed": False, "code": REFUSALS[width], "message": "refused"}
        return {"passed": True, "face_bbox": [100, 120, 300, 340], "ext_bbox": [50, 60, 450, 460]}

    async def render(self, image: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box) -> tuple[bytes, float]:
        await self.gate.wait()
        return VIDEO, 2.6


@dataclass
class Reply:
    """An answer: HTTP status, headers, and the body as JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> int:
        return int(self.body["code"])

    @property
    def data(self) -> Any:
        assert (self.status, self.code) == (200, 0), self.body
        return self.body["data"]


@dataclass
class Phone:
    """One user of the emoji app."""

    client: Client
    base: str
    token: str = ""
    user: Any = None

    async def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> Reply:
        """One call below /emoji/api/v1."""
        sent = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(headers or {})}
        async with self.client.request(method, f"{self.base}/emoji/api/v1{path}", headers=sent, **options) as answer:
            content = await answer.read()
            return Reply(answer.status, answer.headers, json.loads(content) if content else None)

    async def login(self, device_id: str) -> "Phone":
        data = (await self.call("POST", "/auth/login", json={"device_id": device_id})).data
        self.token, self.user = data["access_token"], data["user"]
        return self

    async def upload(self, content: bytes) -> Reply:
        form = aiohttp.FormData()
        form.add_field("image", io.BytesIO(content), filename="x.png", content_type="image/png")
        return await self.call("POST", "/emoji/upload", data=form)

    async def uploaded(self, content: bytes | None = None) -> str:
        return str((await self.upload(content or photo())).data["image_url"])

    async def uploaded_directly(self, content: bytes | None = None) -> str:
        """Upload straight to the storage; the image_url that stands for the picture."""
        content = content or photo()
        wish = {"mode": "direct", "content_type": "image/png", "size": len(content)}
        form = (await self.call("POST", "/emoji/upload", json=wish)).data
        fields = aiohttp.FormData()
        for name, value in form["fields"].items():
            fields.add_field(name, value)
        fields.add_field(form["file_field"], content, filename="x.png", content_type="image/png")
        async with self.client.post(form["upload_url"], data=fields) as answer:
            assert answer.status == 204, await answer.text()
        return str(form["image_url"])

    async def create(self, image_url: str, driven_id: str = TEMPLATE, key: str | None = None) -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.call(
            "POST", "/emoji/create", json={"image_url": image_url, "driven_id": driven_id}, headers=headers
        )

    async def balance(self) -> int:
        return int((await self.call("GET", "/points/balance")).data["balance"])

    async def entries(self) -> list[tuple[str, int]]:
        """The ledger, oldest first."""
        rows = (await self.call("GET", "/points/transactions?page_size=100")).data["items"]
        return [(row["type"], row["amount"]) for row in reversed(rows)]

    async def task(self, task_id: str) -> Any:
        return (await self.call("GET", f"/emoji/task/{task_id}")).data

    async def ended(self, task_id: str) -> Any:
        """The task once it has ended."""
        return await until(lambda: self._ended(task_id))

    async def _ended(self, task_id: str) -> Any:
        task = await self.task(task_id)
        return task if task["status"] in {"completed", "failed"} else None


@dataclass
class Stand:
    """A running Hutong."""

    settings: Settings
    host: Host
    base: str
    client: Client
    vision: WidthVision
    data: Path
    phones: int = field(default=0)
    customers: int = field(default=0)

    async def phone(self, device_id: str | None = None) -> Phone:
        """A signed-in user, a new one unless the device is given."""
        self.phones += 1
        return await Phone(self.client, self.base).login(device_id or f"device-{self.phones:04d}")

    def stranger(self, email: str | None = None, **headers: str) -> Customer:
        """Somebody who may become a customer of the storefront, a new one unless the address is given."""
        self.customers += 1
        return Customer(self.client, self.base, email or f"customer{self.customers}@example.com", headers={**headers})

    async def customer(self, email: str | None = None, **headers: str) -> Customer:
        """Somebody with an account, signed in."""
        return await self.stranger(email, **headers).join()

    async def press(self, button: str, **values: str) -> None:
        """A button of the sandbox's page."""
        url = f"{self.base}/sandbox/dashscope/control/{button}"
        async with self.client.post(url, data=values, headers={"Accept": "application/json"}) as answer:
            assert answer.status == 200, await answer.text()

    async def sandbox_totals(self) -> Any:
        async with self.client.get(f"{self.base}/sandbox/dashscope/control/state") as answer:
            return (await answer.json())["totals"]

    async def broken_promises(self) -> Any:
        return await self.host.kernel.db.read(self.host.verify)


@asynccontextmanager
async def standing(settings: Mapping[str, Any], *, worker: bool = True) -> AsyncIterator[Stand]:
    """Start a Hutong; stop it, and check every promise about its data, at the end."""
    with free_listener() as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = load_settings(**{"env": "test", "public_url": base, **FAST, **settings})
        ready_keys(made.folder)
        host, vision = Host(made), WidthVision()
        sandboxes = Sandboxes(made, vision)
        async with listening(HostApp(host, sandboxes), listener, lifespan="on"), http_client(60) as client:
            stand = Stand(made, host, base, client, vision, made.folder)
            running = asyncio.create_task(working(made)) if worker else None
            try:
                yield stand
                assert await stand.broken_promises() == []
            finally:
                vision.gate.set()
                if running is not None:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)


async def working(settings: Settings) -> None:
    """A worker with a host of its own, as another process would have; cancelled, it lets running jobs finish."""
    host = Host(settings)
    await host.start()
    worker = host.worker()
    run = asyncio.create_task(worker.run())
    try:
        await asyncio.shield(run)
    finally:
        worker.stop()
        await run
        await host.stop()
