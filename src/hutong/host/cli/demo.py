"""`hutong demo`: starts Hutong embedded and drives the main job of each app through its public API."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hutong.host.cli.run import Data, HostOption, banner, free_port, run_supervised, settings_for
from hutong.host.demo_video import VideoLooksWrong
from hutong.host.demos.emoji import make_video
from hutong.host.demos.stage import DemoFailed, Stage
from hutong.host.demos.storefront import buy
from hutong.host.settings import Settings
from hutong.kernel.http.outbound import Outbound
from hutong.kernel.observability import logs
from hutong.kernel.settings import SettingsRefused

console = Console()


def demo(
    photo: Annotated[
        Path | None,
        typer.Option(
            "--photo", exists=True, dir_okay=False, help="A photo of one face; a bundled portrait when left out."
        ),
    ] = None,
    template: Annotated[str, typer.Option("--template", help="driven_id of the template.")] = "mengwa_kaixin",
    output: Annotated[Path, typer.Option("--output", help="Folder for what is made.")] = Path("demo-output"),
    once: Annotated[bool, typer.Option("--once", help="Stop when done; exit 0 only if all of it worked.")] = False,
    data: Data = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; a free one if it is taken.")] = 8000,
    host: HostOption = "127.0.0.1",
) -> None:
    """Make an emoji video from a photo; order, pay in the sandbox, get a receipt; chat, hang up, and hear the rest."""
    port = _some_port(host, port)
    settings = settings_for(data, port, host)
    if not settings.sandboxed:
        raise SettingsRefused("the demo uses the DashScope sandbox; unset HUTONG_DASHSCOPE__BASE_URL")
    if not (settings.smtp.sandboxed and settings.wechat_pay_sandboxed):
        raise SettingsRefused(
            "the demo uses the sandboxes of mail and WeChat Pay; unset HUTONG_SMTP__HOST and their URLs"
        )
    if not settings.openai_sandboxed:
        raise SettingsRefused("the demo uses the OpenAI sandbox; unset HUTONG_OPENAI__PROVIDERS")
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


async def _drive(settings: Settings, photo: Path | None, template: str, output: Path) -> None:
    from hutong.host.demos.chat import converse  # here: the vendor's SDK takes a second to import

    outbound = Outbound(allow_private=True)
    stage = Stage(settings.public_url, outbound, console, output)
    try:
        await make_video(stage, photo, template)
        await buy(stage)
        await converse(stage)
    finally:
        await outbound.close()
