"""A whole Hutong in processes of its own, as an operator starts it, to be killed and looked at from outside."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from PIL import Image

from hutong.host.wiring import SANDBOX_PATH
from support.http import Client, http_client
from support.processes import TETHER, free_port
from support.stand import Phone, until

PORTRAIT = Path(__file__).parents[2] / "src/hutong/apps/emoji/assets/portrait.jpg"
START_SECONDS = 30.0
STORES = ("valkey-server", "redis-server")
QUICK: Mapping[str, str] = {
    "HUTONG_ENV": "test",
    "HUTONG_JOBS__LEASE_SECONDS": "1",
    "HUTONG_JOBS__SWEEP_SECONDS": "0.1",
    "HUTONG_EMOJI__POLL_SECONDS": "0.2",
    "HUTONG_RESTART_PAUSE_SECONDS": "0.2",
    "HUTONG_LIMITS__ENABLED": "false",
    "HUTONG_HTTP__KEY_LEASE_SECONDS": "1",
    **{f"HUTONG_SANDBOX__{name}_PER_SECOND": "500" for name in ("SUBMIT", "DETECT", "QUERY")},
    **{f"HUTONG_DASHSCOPE__{name}_PER_SECOND": "500" for name in ("SUBMIT", "DETECT", "QUERY")},
    "HUTONG_SANDBOX__RUNNING_LIMIT": "2",
    "HUTONG_DASHSCOPE__IN_FLIGHT": "2",
    "HUTONG_LOG__FORMAT": "json",
    "HUTONG_LOG__LEVEL": "warning",
}


def portrait(number: int = 0) -> bytes:
    """A real face; each number gives another picture, so that a remote generation can be told by its source."""
    image = Image.open(PORTRAIT)
    image.thumbnail((640, 640))
    image.putpixel((0, 0), (number % 256, number // 256 % 256, 7))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@dataclass
class Installation:
    """One installation: a data folder, an address, and the processes that were started on it.

    Args:
        data: its data folder.
        environment: of its processes, beyond `QUICK`.
    """

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def orders(self) -> Path:
        """The folder of armed failpoints."""
        folder = self.data / "failpoints"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def arm(self, name: str) -> None:
        """The process that gets to this failpoint first is killed there."""
        (self.orders / name).touch()

    def is_armed(self, name: str) -> bool:
        return (self.orders / name).exists()

    def _variables(self) -> dict[str, str]:
        own = {"HUTONG_DATA": str(self.data), "HUTONG_FAILPOINTS": str(self.orders), "HUTONG_PUBLIC_URL": self.base}
        return {**os.environ, **QUICK, **own, **self.environment}

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start `hutong <arguments>`, to end with the tests; what it says goes to `<data>/test.log`."""
        self.data.mkdir(parents=True, exist_ok=True)
        tied = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), "-1", "-1", str(int(signal.SIGKILL))]
        with (self.data / "test.log").open("ab") as log:
            process = subprocess.Popen(
                [*tied, sys.executable, "-m", "hutong", *arguments],
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def up(self) -> "subprocess.Popen[bytes]":
        """Start everything under one supervisor."""
        return self.start("up", "--port", str(self.port))

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `hutong <arguments>` to its end."""
        command = [sys.executable, "-m", "hutong", *arguments]
        return subprocess.run(command, env=self._variables(), capture_output=True, text=True, check=False, timeout=120)

    def children(self) -> Sequence[psutil.Process]:
        """All processes below those that were started, youngest last."""
        found: list[psutil.Process] = []
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                found += psutil.Process(process.pid).children(recursive=True)
        return found

    def child(self, word: str) -> psutil.Process:
        """The running process whose command line holds `word` (`worker`, `serve`), or the embedded `store`."""
        for process in self.children():
            with suppress(psutil.Error):
                if process.name() in STORES if word == "store" else word in process.cmdline()[:12]:
                    return process
        raise LookupError(f"no process called {word!r} runs; see {self.data / 'test.log'}")

    def stop(self) -> None:
        """End everything in order, and what does not end by force."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def kill(self) -> None:
        """Power loss: no process gets to say a word."""
        for process in [*self.children(), *(psutil.Process(own.pid) for own in self.processes if own.poll() is None)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        for own in self.processes:
            own.wait()
        self.processes.clear()

    def log(self) -> str:
        """What the processes said last."""
        path = self.data / "test.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""


@contextmanager
def installed(data: Path, environment: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """An installation whose processes are gone at the end."""
    installation = Installation(data, environment or {})
    try:
        yield installation
    finally:
        installation.stop()


@dataclass
class Caller:
    """A client of an installation that does not give up: what a phone's app does on a bad line.

    `door` is where it calls, when that is not the installation's own address.
    """

    installation: Installation
    client: Client
    door: str = ""

    @property
    def base(self) -> str:
        return self.door or self.installation.base

    async def answers(self) -> None:
        """Wait until every part works."""

        async def ready() -> bool:
            try:
                async with self.client.get(f"{self.base}/readyz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        try:
            await until(ready, START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.installation.log()}") from error

    async def phone(self, device_id: str) -> Phone:
        phone: Phone = await self.again(lambda: Phone(self.client, self.base).login(device_id))
        return phone

    async def again(self, call: Any, seconds: float = START_SECONDS) -> Any:
        """Call until an answer comes that is none of a server that is just going down or starting."""
        end = time.monotonic() + seconds
        while True:
            try:
                reply = await call()
            except (aiohttp.ClientError, json.JSONDecodeError, ConnectionError, TimeoutError):
                reply = None
            if reply is not None and getattr(reply, "status", 200) not in {409, 502, 503}:
                return reply
            assert time.monotonic() < end, f"no answer within {seconds} s\n{self.installation.log()}"
            await asyncio.sleep(0.05)

    async def make_video(self, phone: Phone, number: int, picture: bytes | None = None) -> Any:
        """Upload, create with a key, follow: the ended task. Every step is tried again until it is answered.

        `picture` is a portrait when left out.
        """
        content = portrait(number) if picture is None else picture
        image_url = (await self.again(lambda: phone.upload(content))).data["image_url"]
        created = await self.again(lambda: phone.create(image_url, key=f"video-{number}"))
        return await self.ended(phone, created.data["task_id"])

    async def ended(self, phone: Phone, task_id: str, seconds: float = START_SECONDS) -> Any:
        end = time.monotonic() + seconds
        while True:
            reply = await self.again(lambda: phone.call("GET", f"/emoji/task/{task_id}"))
            if reply.data["status"] in {"completed", "failed"}:
                return reply.data
            assert time.monotonic() < end, f"{reply.data}\n{self.installation.log()}"
            await asyncio.sleep(0.05)

    async def remote_tasks(self) -> list[Any]:
        """Every generation that the sandbox accepted, the newest first."""
        url = f"{self.installation.base}{SANDBOX_PATH}/control/tasks?limit=1000"

        async def ask() -> Any:
            async with self.client.get(url) as answer:
                return await answer.json()

        return list((await self.again(ask))["tasks"])


@asynccontextmanager
async def calling(installation: Installation) -> AsyncIterator[Caller]:
    """A caller, once the installation answers."""
    async with http_client(30) as client:
        caller = Caller(installation, client)
        await caller.answers()
        yield caller
