"""Starting things: up, serve, worker, store, migrate."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hutong.host import migrations, processes
from hutong.host.settings import Settings, load_settings
from hutong.host.supervisor import Child, data_lock, supervise
from hutong.host.wiring import check_apps, store_url
from hutong.kernel.observability import logs
from hutong.kernel.settings import SettingsRefused
from hutong.kernel.store import EmbeddedStore, Store, StoreUnavailable

console = Console(stderr=True)
Data = Annotated[
    Path | None, typer.Option("--data", help="Folder for database, store and files.", show_default="./data")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")]
Apps = Annotated[list[str] | None, typer.Argument(metavar="[APP]...", help="Apps; all of them when left out.")]
START_SECONDS = 60.0
LEEWAY_SECONDS = 10.0
"""How much longer than it drains a child may take to end before it is ended by force."""


def settings_for(data: Path | None, port: int | None = None, host: str = "127.0.0.1") -> Settings:
    """Settings with the options of a command; they are passed on to child processes through the environment."""
    overrides: dict[str, Any] = {} if data is None else {"data": data.expanduser().resolve()}
    settings = load_settings(**overrides)
    if port is not None and "public_url" not in settings.model_fields_set:
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
        settings = load_settings(**overrides, public_url=f"http://{shown}:{port}")
    return settings


def up(data: Data = None, port: PortOption = 8000, host: HostOption = "127.0.0.1") -> None:
    """Start everything on this machine: embedded store, API with sandboxes, and a worker; Ctrl-C stops it."""
    port = free_port(host, port)
    settings = settings_for(data, port, host)
    logs.configure(settings.log.level, settings.log.format, process="up")

    async def ready() -> None:
        console.print(banner(settings), highlight=False)

    run_supervised(settings, host, port, ready)


def banner(settings: Settings) -> str:
    """What is where, for a person."""
    url = settings.public_url.rstrip("/")
    there = {
        "chat": f"{url}/chat/",
        "emoji API": f"{url}/emoji/docs",
        "storefront API": f"{url}/storefront/docs",
        "chat API": f"{url}/chat/docs",
        "DashScope sandbox": f"{url}/sandbox/dashscope/" if settings.sandboxed else "",
        "mail sandbox": f"{url}/sandbox/mail/" if settings.smtp.sandboxed else "",
        "WeChat Pay sandbox": f"{url}/sandbox/wechatpay/" if settings.wechat_pay_sandboxed else "",
        "Alipay sandbox": f"{url}/sandbox/alipay/" if settings.alipay_sandboxed else "",
        "OpenAI sandbox": f"{url}/sandbox/openai/" if settings.openai_sandboxed else "",
        "OSS sandbox": f"{url}/sandbox/oss/" if settings.oss_sandboxed else "",
        "health": f"{url}/readyz",
        "data": str(settings.folder),
    }
    lines = [f"  {name:<19}{place}" for name, place in there.items() if place]
    return "\n".join([f"[bold green]Hutong is up[/]      {url}/", *lines, "  Ctrl-C stops everything."])


def run_supervised(settings: Settings, host: str, port: int, ready: Any, *, quiet: bool = False) -> None:
    """Start the children of `hutong up` and keep them until a signal; `ready` runs when all work.

    Args:
        settings: of the parent; the children get the same.
        host, port: where the API listens.
        ready: async function without arguments.
        quiet: what the children log goes to files in the data folder.
    """
    with data_lock(settings.folder):
        children = [*_store_children(settings), _api(settings, host, port), _worker(settings)]
        for child in children:
            child.longest_pause = settings.restart_pause_seconds
            if quiet:
                child.log = settings.folder / "logs" / f"{child.name}.log"
        migrate_now(settings)
        asyncio.run(supervise(children, ready))


def _store_children(settings: Settings) -> list[Child]:
    if settings.store_url:
        return []
    embedded = EmbeddedStore.of(settings)
    embedded.socket.unlink(missing_ok=True)
    log = settings.folder / "logs" / "store.log"
    return [Child("store", embedded.command(), lambda: _until_answers(embedded.url), embedded.folder, log)]


async def _until_answers(url: str) -> None:
    store = Store(url)
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await store.ping()
                except StoreUnavailable:
                    await asyncio.sleep(0.02)
                else:
                    return
    finally:
        await store.close()


def _api(settings: Settings, host: str, port: int) -> Child:
    command = [*_hutong(settings), "serve", "--host", host, "--port", str(port)]
    address = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    patience = settings.http.notice_seconds + settings.http.drain_seconds + LEEWAY_SECONDS
    return Child("api", command, lambda: _until_serves(address, port), patience=patience)


async def _until_serves(host: str, port: int) -> None:
    """Another process may listen there, so ask for an answer."""
    async with asyncio.timeout(START_SECONDS):
        while not await _alive(host, port):  # noqa: ASYNC110 - another process cannot set an event here
            await asyncio.sleep(0.05)


async def _alive(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()


def _worker(settings: Settings) -> Child:
    async def ready() -> None:
        """Nobody waits for the worker; what keeps it from starting shows in its messages, and it is tried again."""

    patience = settings.jobs.drain_seconds + LEEWAY_SECONDS
    return Child("worker", [*_hutong(settings), "worker"], ready, patience=patience)


def _hutong(settings: Settings) -> Sequence[str]:
    """How a child calls this program; what the command line said reaches it through the environment."""
    os.environ["HUTONG_DATA"] = str(settings.folder)
    os.environ["HUTONG_PUBLIC_URL"] = settings.public_url
    return [sys.executable, "-m", "hutong"]


def free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0.

    Raises:
        SettingsRefused: the port is taken.
    """
    try:
        with processes.bound_socket(host, port) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise SettingsRefused(
            f"port {port} on {host} cannot be had ({error.strerror}); choose another with --port"
        ) from error


def serve(apps: Apps = None, data: Data = None, port: PortOption = 8000, host: HostOption = "127.0.0.1") -> None:
    """Serve apps from one process: any number of these may run, on many machines. One app alone answers at /."""
    check_apps(apps or [])
    port = free_port(host, port)
    settings = settings_for(data, port, host)
    require_current_schema(settings)
    processes.serve(settings, apps or [], host, port)


def worker(
    apps: Apps = None,
    data: Data = None,
    metrics_port: Annotated[int, typer.Option(help="Serve /metrics on this port; 0: do not.")] = 0,
    metrics_host: Annotated[str, typer.Option(help="Address that it is served on.")] = "127.0.0.1",
) -> None:
    """Run jobs and schedules: any number of these may run, on many machines."""
    check_apps(apps or [])
    settings = settings_for(data)
    require_current_schema(settings)
    processes.work(settings, apps or [], metrics_port, metrics_host)


def store(data: Data = None) -> None:
    """Run only the embedded store of a data folder, for `serve` and `worker` processes on one machine."""
    settings = settings_for(data)
    logs.configure(settings.log.level, settings.log.format, process="store")
    if settings.store_url:
        raise SettingsRefused("HUTONG_STORE_URL names a store of its own; there is nothing to start")

    async def ready() -> None:
        console.print(f"[green]The store listens on[/] {store_url(settings)}", highlight=False)

    with data_lock(settings.folder):
        asyncio.run(supervise(_store_children(settings), ready))


def migrate(
    data: Data = None,
    to: Annotated[str, typer.Option("--to", help="Revision to move to.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Take the schema back to --to (as in -1 or base).")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 unless the schema is current.")
    ] = False,
) -> None:
    """Bring the database schema up to date (or back)."""
    settings = settings_for(data)
    if check:
        require_current_schema(settings)
        differences = migrations.drift(settings)
        for difference in differences:
            console.print(f"drift: {difference}", highlight=False)
        if differences:
            raise typer.Exit(1)
        console.print("[green]The schema is current.[/]")
        return
    before, after = migrations.downgrade(settings, to) if down else migrations.upgrade(settings, to)
    console.print(f"Schema: {before or 'empty'} → [bold]{after or 'empty'}[/]", highlight=False)


def migrate_now(settings: Settings) -> None:
    """Bring the schema up to date, as `hutong up` does at its start."""
    before, after = migrations.upgrade(settings)
    if before != after:
        console.print(f"Schema: {before or 'empty'} → {after}", highlight=False)


def require_current_schema(settings: Settings) -> None:
    """Refuse to start on a schema that this version does not know.

    Raises:
        SettingsRefused.
        DatabaseUnavailable: it cannot be asked.
    """
    found = migrations.current(settings)
    if found != migrations.head():
        raise SettingsRefused(
            f"the database schema is at {found or 'nothing'}, this version needs {migrations.head()}: run hutong migrate"
        )
