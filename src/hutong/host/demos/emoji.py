"""The emoji app's main job as a phone would do it: sign in, upload a photo, make a video, look at the ledger."""

import asyncio
import secrets
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hutong.host.demo_video import contact_sheet, read_video, require_real
from hutong.host.demos.stage import DemoFailed, Stage
from hutong.kernel.http.outbound import Answer, Outbound

ENDED = {"completed", "failed"}
LONGEST_SECONDS = 300.0


class Phone:
    """A client as a phone would be: only the public API."""

    def __init__(self, base_url: str, outbound: Outbound) -> None:
        self._base = f"{base_url.rstrip('/')}/emoji/api/v1"
        self._outbound = outbound
        self._token = ""

    async def call(self, method: str, path: str, *, json: Any = None, body: bytes | None = None, kind: str = "") -> Any:
        """One call; the answer's `data`."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if kind:
            headers["Content-Type"] = kind
        answer = await self._outbound.request(
            "demo", path, method, self._base + path, headers=headers, json=json, body=body
        )
        return _data(answer, path)

    async def login(self) -> Any:
        signed_in = await self.call("POST", "/auth/login", json={"device_id": f"demo-{secrets.token_hex(8)}"})
        self._token = signed_in["access_token"]
        return signed_in["user"]

    async def upload(self, picture: bytes) -> Any:
        boundary = secrets.token_hex(16)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n'.encode()
        body = head + picture + f"\r\n--{boundary}--\r\n".encode()
        return await self.call("POST", "/emoji/upload", body=body, kind=f"multipart/form-data; boundary={boundary}")


def _data(answer: Answer, path: str) -> Any:
    content = answer.json()
    if answer.status != 200 or content["code"] != 0:
        raise DemoFailed(
            f"{path} answered {answer.status} {content.get('code')}: {content.get('message')} {content.get('data') or ''}"
        )
    return content["data"]


async def make_video(stage: Stage, photo: Path | None, template: str) -> None:
    """Make a video, save it with a contact sheet, show what it cost.

    Raises:
        DemoFailed, VideoLooksWrong.
    """
    phone = Phone(stage.base, stage.outbound)
    picture = await asyncio.to_thread(_picture, photo)
    with stage.progress() as bar:
        video = await _make(phone, stage.outbound, picture, template, bar)
    await asyncio.to_thread(_keep, video, stage.output)
    await _show(phone, stage.output, stage.console)


async def _make(phone: Phone, outbound: Outbound, picture: bytes, template: str, bar: Progress) -> bytes:
    task = bar.add_task("Signing in by device", total=6)
    user = await phone.login()
    bar.update(task, advance=1, description=f"Signed in as {user['nickname']} with {user['points']} points; uploading")
    uploaded = await phone.upload(picture)
    bar.update(task, advance=1, description=f"Uploaded {uploaded['width']}×{uploaded['height']}; looking for the face")
    found = await phone.call("POST", "/emoji/detect", json={"image_url": uploaded["image_url"]})
    if not found["passed"]:
        raise DemoFailed(f"the photo was refused: {found['reason']} ({found['detail']}); try another with PHOTO=path")
    bar.update(task, advance=1, description=f"Face at {found['face_bbox']}; creating the video")
    body = {"image_url": uploaded["image_url"], "driven_id": template}
    created = await phone.call("POST", "/emoji/create", json=body)
    bar.update(task, advance=1, description=f"Task {created['task_id']} for {created['points_cost']} points")
    ended = await _follow(phone, created["task_id"], bar, task)
    bar.update(task, advance=1, description="Downloading the video")
    answer = await outbound.download("demo", ended["result_url"], largest=64 * 2**20)
    if answer.status != 200:
        raise DemoFailed(f"the result's link answered {answer.status}")
    bar.update(task, advance=1, description="Done")
    return answer.body


async def _follow(phone: Phone, task_id: str, bar: Progress, line: Any) -> Any:
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            task = await phone.call("GET", f"/emoji/task/{task_id}")
            if task["status"] in ENDED:
                break
            place = f", place {task['queue_position']}, about {task['eta_seconds']} s" if task["queue_position"] else ""
            bar.update(line, description=f"The video is {task['status']}{place}")
            await asyncio.sleep(0.5)
    if task["status"] == "failed":
        raise DemoFailed(task["error_message"])
    return task


async def _show(phone: Phone, output: Path, console: Console) -> None:
    balance = await phone.call("GET", "/points/balance")
    ledger = await phone.call("GET", "/points/transactions")
    table = Table("when", "what", "points", "balance", title=f"Ledger (balance {balance['balance']})")
    for row in ledger["items"]:
        about = f"{row['type']} {row['task_type'] or ''}".strip()
        table.add_row(row["created_at"], about, f"{row['amount']:+d}", str(row["balance_after"]))
    console.print(table)
    console.print(
        f"[bold green]Made[/] {output / 'emoji.mp4'} and its frames {output / 'emoji-frames.png'}", highlight=False
    )


def _keep(video: bytes, output: Path) -> None:
    """Check the video and leave it with a contact sheet in `output`."""
    frames = read_video(video)
    require_real(frames)
    output.mkdir(parents=True, exist_ok=True)
    (output / "emoji.mp4").write_bytes(video)
    contact_sheet(frames, output / "emoji-frames.png")


def _picture(photo: Path | None) -> bytes:
    if photo is not None:
        return photo.read_bytes()
    with as_file(files("hutong.apps.emoji") / "assets" / "portrait.jpg") as path:
        return path.read_bytes()
