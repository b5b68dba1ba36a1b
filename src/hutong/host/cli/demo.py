"""`hutong demo`: starts Hutong embedded and drives the emoji app's main job through its public API."""

import asyncio
import secrets
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hutong.host.cli.run import Data, HostOption, banner, free_port, run_supervised, settings_for
from hutong.host.demo_video import VideoLooksWrong, contact_sheet, read_video, require_real
from hutong.host.settings import Settings
from hutong.kernel.http.outbound import Answer, Outbound
from hutong.kernel.observability import logs
from hutong.kernel.settings import SettingsRefused

console = Console()
ENDED = {"completed", "failed"}
LONGEST_SECONDS = 300.0


class DemoFailed(Exception):
    """The demo did not get what it should."""


def demo(
    photo: Annotated[
        Path | None,
        typer.Option(
            "--photo", exists=True, dir_okay=False, help="A photo of one face; a bundled portrait when left out."
        ),
    ] = None,
    template: Annotated[str, typer.Option("--template", help="driven_id of the template.")] = "mengwa_kaixin",
    output: Annotated[Path, typer.Option("--output", help="Folder for what is made.")] = Path("demo-output"),
    once: Annotated[bool, typer.Option("--once", help="Stop when done; exit 0 only if the video is real.")] = False,
    data: Data = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; a free one if it is taken.")] = 8000,
    host: HostOption = "127.0.0.1",
) -> None:
    """Log in, upload a photo, make an emoji video, save it, and show what it cost."""
    port = _some_port(host, port)
    settings = settings_for(data, port, host)
    if not settings.sandboxed:
        raise SettingsRefused("the demo uses the DashScope sandbox; unset HUTONG_DASHSCOPE__BASE_URL")
    logs.configure("error", settings.log.format, process="demo")
    result: dict[str, bool] = {}

    async def drive() -> None:
        console.print(banner(settings), highlight=False)
        try:
            await _drive(settings, photo, template, output)
            result["ok"] = True
        except (DemoFailed, VideoLooksWrong) as error:
            console.print(f"[bold red]The demo failed:[/] {error}", highlight=False)
            raise typer.Exit(1) from error
        if once:
            raise typer.Exit(0)
        console.print("\nStill serving; try it yourself. Ctrl-C stops everything.")

    run_supervised(settings, host, port, drive, quiet=True)
    if not result.get("ok"):
        raise typer.Exit(1)


def _some_port(host: str, port: int) -> int:
    try:
        return free_port(host, port)
    except SettingsRefused:
        found = free_port(host, 0)
        console.print(f"Port {port} is taken; using {found}.")
        return found


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


async def _drive(settings: Settings, photo: Path | None, template: str, output: Path) -> None:
    outbound = Outbound(allow_private=True)
    try:
        phone = Phone(settings.public_url, outbound)
        picture = await asyncio.to_thread(_picture, photo)
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
        ) as bar:
            video = await _make(phone, outbound, picture, template, bar)
        await asyncio.to_thread(_keep, video, output)
        await _show(phone, output)
    finally:
        await outbound.close()


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


async def _show(phone: Phone, output: Path) -> None:
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
