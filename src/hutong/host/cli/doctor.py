"""`hutong doctor`: is everything there that Hutong needs, and if not, what to do."""

import asyncio
import importlib.util
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hutong.host import migrations
from hutong.host.cli.run import settings_for
from hutong.host.settings import Settings
from hutong.host.storages import open_storage
from hutong.host.wiring import Host
from hutong.kernel.db.opening import database_url
from hutong.kernel.mail import MailUnavailable
from hutong.kernel.observability import logs
from hutong.kernel.store.embedded import find_binary
from hutong.kit.clock import SystemClock

console = Console()
Check = Callable[[], str]
PROBES = 16


def doctor(
    data: Annotated[Path | None, typer.Option("--data", help="Data folder.", show_default="./data")] = None,
) -> None:
    """Check this machine and these settings; exit 1 if something is missing."""
    logs.configure("error", "console", process="doctor")
    settings = settings_for(data)
    checks: dict[str, Check] = {
        "Python": _python,
        "data folder": lambda: _folder(settings),
        "vision extra": lambda: _vision(settings),
        "store binary": lambda: "not needed" if settings.store_url else find_binary(settings.store_binary),
        "database": lambda: _database(settings),
        "schema": lambda: _schema(settings),
        "store": lambda: _store(settings),
        "storage": lambda: _storage(settings),
        "mail": lambda: _mail(settings),
    }
    failed = 0
    for name, check in checks.items():
        try:
            console.print(f"[green]ok[/]    {name}: {check()}", highlight=False)
        except Exception as error:
            failed += 1
            console.print(f"[red]wrong[/] {name}: {error}", highlight=False)
    if failed:
        raise typer.Exit(1)


def _python() -> str:
    return sys.version.split()[0]


def _folder(settings: Settings) -> str:
    settings.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.folder).free // 2**20
    if free < 500:
        raise OSError(f"only {free} MiB are free on {settings.folder}")
    return f"{settings.folder} ({free // 1024} GiB free)"


def _vision(settings: Settings) -> str:
    if not settings.sandboxed:
        return "not needed"
    missing = [name for name in ("cv2", "av", "ai_edge_litert") if importlib.util.find_spec(name) is None]
    if missing:
        raise LookupError(f"{', '.join(missing)} not installed; the sandbox needs: pip install 'hutong[vision]'")
    return "installed"


def _database(settings: Settings) -> str:
    shown = database_url(settings.resolved_database_url).render_as_string(hide_password=True)
    migrations.current(settings)
    return shown


def _schema(settings: Settings) -> str:
    found, wanted = migrations.current(settings), migrations.head()
    if found != wanted:
        raise LookupError(
            f"at {found or 'nothing'}, this version needs {wanted}: run hutong migrate (hutong up does it by itself)"
        )
    return str(found)


def _store(settings: Settings) -> str:
    async def ping() -> str:
        host = Host(settings)
        try:
            await host.kernel.store.ping()
            # A cluster's node that is taken for a single server answers a ping, but not for keys all over the slots.
            await asyncio.gather(*(host.kernel.store.get(f"doctor:{{{number}}}") for number in range(PROBES)))
        finally:
            await host.kernel.store.close()
            await host.kernel.db.close()
        return "answers"

    try:
        return asyncio.run(ping())
    except Exception as error:
        if settings.store_url:
            raise
        return f"starts with hutong up ({type(error).__name__} now)"


def _mail(settings: Settings) -> str:
    async def ping() -> None:
        host = Host(settings)
        try:
            await host.kernel.mail.ping()
        finally:
            await host.kernel.store.close()
            await host.kernel.db.close()

    try:
        asyncio.run(ping())
    except MailUnavailable as error:
        if not settings.smtp.sandboxed:
            raise
        return f"the mail sandbox starts with hutong up ({type(error).__name__} now)"
    return "the mail sandbox answers" if settings.smtp.sandboxed else f"{settings.smtp.host} answers"


def _storage(settings: Settings) -> str:
    async def ping() -> float:
        storage = open_storage(settings, SystemClock())
        try:
            start = time.perf_counter()
            await storage.ping()
            return (time.perf_counter() - start) * 1000
        finally:
            await storage.close()

    kind = settings.files.storage
    try:
        return f"{kind} answers in {asyncio.run(ping()):.0f} ms"
    except Exception as error:
        if not settings.oss_sandboxed:
            raise
        return f"the OSS sandbox starts with hutong up ({type(error).__name__} now)"
