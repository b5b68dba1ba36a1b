"""A DashScope sandbox in a running uvicorn, with a client, for its tests."""

import asyncio
import contextlib
import io
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from yarl import URL

from hutong.kit.clock import Clock
from hutong.providers.dashscope.sandbox import (
    Sandbox,
    SandboxSettings,
    VisionRefused,
    VisionUnavailable,
    create_sandbox,
)
from hutong.providers.dashscope.sandbox.ports import Box, Inspection
from support.http import free_listener, listening

DEADLINE = 30.0
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
VENDOR_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$")
MODELS = "/api/v1/services/aigc/image2video"
ROOT = "/sandbox/dashscope"
PORTRAIT = Path(__file__).parents[3] / "src/hutong/apps/emoji/assets/portrait.jpg"
FAST = {"submit_per_second": 1000.0, "detect_per_second": 1000.0, "query_per_second": 1000.0}


def picture(width: int = 500, height: int = 600, orientation: int | None = None) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", (width, height), (180, 160, 140)).save(out, "JPEG", exif=exif)
    return out.getvalue()


PICTURES = {"face.jpg": picture(), "wall.bin": b"GIF89a", "huge.jpg": b"\xff\xd8" + bytes(10 * 1024 * 1024)}


class PlainVision:
    """A deterministic eye: refuses what is marked so, renders when the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.rendering = 0
        self.most = 0
        self.rendered: list[str] = []
        self.shown: list[Box] = []
        self.broken = False

    async def inspect(self, image: bytes) -> Inspection:
        if self.broken:
            raise VisionUnavailable("no eyes")
        if not image.startswith(b"\xff\xd8"):
            return {"passed": False, "code": "InvalidFile.NoHuman", "message": "No human."}
        return {"passed": True, "face_bbox": [100, 120, 300, 340], "ext_bbox": [50, 60, 450, 460]}

    async def render(self, image: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box) -> tuple[bytes, float]:
        assert image.startswith(b"\xff\xd8")
        self.shown.append(ext_bbox)
        self.rendering += 1
        self.most = max(self.most, self.rendering)
        try:
            await self.gate.wait()
        finally:
            self.rendering -= 1
        if self.broken:
            raise VisionUnavailable("no eyes")
        if face_bbox == (1, 1, 2, 2):
            raise VisionRefused("InvalidFile.NoHuman", "No face in the box.")
        self.rendered.append(driven_id)
        return b"\0\0\0\x18ftypmp42" + driven_id.encode() * 50, 2.6


@dataclass
class Answer:
    status: int
    headers: Any
    text: str
    json: Any


@dataclass(repr=False)
class World:
    """A sandbox in a running server, with a client that speaks to it as the vendor's customers do."""

    url: str
    sandbox: Sandbox
    vision: PlainVision
    session: aiohttp.ClientSession  # noqa: TID251 - a customer of the vendor, not our outbound client
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return self.url + ROOT

    async def call(self, method: str, path: str, *, key: str | None = "sk-sandbox", **more: Any) -> Answer:
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        address = URL(path if path.startswith("http") else self.base + path, encoded=True)
        async with self.session.request(method, address, headers=headers, allow_redirects=False, **more) as got:
            body = await got.read()
            is_json = got.content_type == "application/json"
            return Answer(got.status, got.headers, body.decode(errors="replace"), await got.json() if is_json else None)

    async def detect(self, image: str = "face.jpg", **changes: Any) -> Answer:
        body = {
            "model": "emoji-detect-v1",
            "input": {"image_url": image if "://" in image else f"{self.url}/pictures/{image}"},
            "parameters": {"ratio": "1:1"},
            **changes,
        }
        return await self.call("POST", f"{MODELS}/face-detect", json=body)

    def order(self, **changes: Any) -> dict[str, Any]:
        part = {
            "image_url": f"{self.url}/pictures/face.jpg?Signature=a%2Bb",
            "driven_id": "mengwa_kaixin",
            "face_bbox": [100, 120, 300, 340],
            "ext_bbox": [50, 60, 450, 460],
        }
        wanted = {name: value for name, value in {**part, **changes}.items() if value is not None}
        return {"model": "emoji-v1", "input": wanted}

    async def create(self, body: dict[str, Any] | None = None, **changes: Any) -> Answer:
        headers = {"X-DashScope-Async": "enable"}
        return await self.call("POST", f"{MODELS}/video-synthesis", json=body or self.order(**changes), headers=headers)

    async def created(self, **changes: Any) -> str:
        answer = await self.create(**changes)
        assert answer.status == 200, answer.text
        return str(answer.json["output"]["task_id"])

    async def query(self, task_id: str) -> Answer:
        return await self.call("GET", f"/api/v1/tasks/{task_id}")

    async def status(self, task_id: str) -> str:
        return str((await self.query(task_id)).json["output"]["task_status"])

    async def until(self, task_id: str, *wanted: str) -> dict[str, Any]:
        """The answer to a query once the task is in one of these states."""

        async def there() -> dict[str, Any] | None:
            answer: dict[str, Any] = (await self.query(task_id)).json
            if answer["output"]["task_status"] in wanted:
                return answer
            assert answer["output"]["task_status"] in {"PENDING", "RUNNING"}, answer
            return None

        found: dict[str, Any] = await soon(there)
        return found

    async def press(self, action: str, **fields: Any) -> Answer:
        answer = await self.call("POST", f"/control/{action}", json=fields, headers={"Accept": "application/json"})
        assert answer.status == 200, answer.text
        return answer

    async def state(self) -> Any:
        return (await self.call("GET", "/control/state")).json

    async def tasks(self) -> Any:
        return (await self.call("GET", "/control/tasks")).json


async def soon(there: Callable[[], Awaitable[Any]], seconds: float = DEADLINE) -> Any:
    """What `there` finds, asked again and again until it finds something."""
    end = time.monotonic() + seconds
    while not (found := await there()):
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.01)
    return found


@contextlib.asynccontextmanager
async def world(
    folder: Path, clock: Clock | None = None, vision: Any = None, *, start: bool = True, **settings: Any
) -> AsyncIterator[World]:
    listener = free_listener()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    eyes = vision or PlainVision()
    chosen = SandboxSettings(folder=folder, public_url=url + ROOT, **{**FAST, **settings})
    app = create_sandbox(chosen, eyes, clock)
    sandbox: Sandbox = app.state.sandbox
    pictures = dict(PICTURES)
    if PORTRAIT.exists():
        pictures["portrait.jpg"] = PORTRAIT.read_bytes()

    async def give(request: Request) -> Response:
        found = pictures.get(request.path_params["name"])
        return Response(found or b"", 200 if found else 404)

    host = Starlette(routes=[Mount(ROOT, app), Route("/pictures/{name}", give)])
    timeout = aiohttp.ClientTimeout(total=120)
    async with listening(host, listener), aiohttp.ClientSession(timeout=timeout) as session:  # noqa: TID251 - as above
        if start:
            await sandbox.start()
        try:
            yield World(url, sandbox, eyes, session, pictures)
        finally:
            await sandbox.close()


def is_error(answer: Answer, status: int, code: str, part: str = "") -> None:
    assert (answer.status, answer.json["code"]) == (status, code), answer.text
    assert part in answer.json["message"]
    assert UUID.match(answer.json["request_id"])
    assert "output" not in answer.json
