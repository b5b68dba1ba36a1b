"""Looking after data: ledger, credits, jobs, keys."""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from hutong.host.cli.run import settings_for
from hutong.host.wiring import Host
from hutong.kernel.credits import EntryKind, balance_of, grant
from hutong.kernel.credits.ledger import Move
from hutong.kernel.observability import logs
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id
from hutong.kit.paging import PageRequest

T = TypeVar("T")
UNFOLDED = 200
"""Columns of a table that goes to a file or another program, where nobody can widen the window."""
console = Console(width=None if sys.stdout.isatty() else UNFOLDED)
Data = Annotated[Path | None, typer.Option("--data", help="Data folder.", show_default="./data")]
UserId = Annotated[str, typer.Argument(help="The user's id.")]

ledger = typer.Typer(help="The credits ledger.", no_args_is_help=True)
credits_group = typer.Typer(help="Users' points.", no_args_is_help=True)
jobs = typer.Typer(help="Durable jobs.", no_args_is_help=True)
keys = typer.Typer(help="Secrets.", no_args_is_help=True)


def with_host(data: Path | None, use: Callable[[Host], Awaitable[T]]) -> T:
    """Run `use` with a started host and stop it again."""
    settings = settings_for(data)
    logs.configure("warning", settings.log.format, process="cli")

    async def run() -> T:
        host = Host(settings)
        await host.start()
        try:
            return await use(host)
        finally:
            await host.stop()

    return asyncio.run(run())


@ledger.command()
def verify(data: Data = None) -> None:
    """Check every promise about balances, holds and tasks; exit 1 if one is broken."""

    async def run(host: Host) -> int:
        with console.status("Checking the ledger …"):
            found = await host.kernel.db.read(host.verify)
        for violation in found:
            console.print(f"[red]{violation.invariant}[/]: {violation.promise} {violation.row}", highlight=False)
        console.print(f"{len(host.work.invariants)} promises checked, {len(found)} rows break one.")
        return len(found)

    if with_host(data, run):
        raise typer.Exit(1)


@credits_group.command("grant")
def grant_points(
    user: UserId,
    amount: Annotated[int, typer.Argument(min=1, help="Points to give.")],
    key: Annotated[str, typer.Option(help="The same key never grants twice; made up when left out.")] = "",
    data: Data = None,
) -> None:
    """Give a user points, as an operator."""
    user_id = user_id_of(user)

    async def run(host: Host) -> tuple[bool, int]:
        kernel = host.kernel
        move = Move(
            entry_id=kernel.ids(),
            account_id=user_id,
            kind=EntryKind.REWARD,
            amount=amount,
            key=f"operator:{key or secrets.token_hex(8)}",
            now=kernel.clock.now(),
            ref_type="operator",
        )
        granted = await kernel.db.write(grant, move)
        return granted, await kernel.db.read(balance_of, user_id)

    granted, balance = with_host(data, run)
    console.print(f"{'Granted' if granted else 'Nothing changed: this key was used'}; the balance is {balance}.")


@jobs.command("dead")
def list_dead(page: Annotated[int, typer.Option(min=1, help="Page, from 1.")] = 1, data: Data = None) -> None:
    """List the jobs that were given up, newest first."""

    async def run(host: Host) -> None:
        found = await host.kernel.db.read(host.kernel.jobs.list_dead, PageRequest(page, 50))
        table = Table("id", "task", "attempts", "died", "error", title=f"{found.total} dead letters")
        for row in found.items:
            table.add_row(str(row["id"]), row["task"], str(row["attempts"]), iso_z(row["died_at"]), row["error"][:80])
        console.print(table if found.total else "No dead letters.")

    with_host(data, run)


@jobs.command("revive")
def revive(job: Annotated[str, typer.Argument(help="Id of the dead letter.")], data: Data = None) -> None:
    """Queue a given-up job again."""
    job_id = user_id_of(job)

    async def run(host: Host) -> bool:
        return await host.kernel.db.write(host.kernel.jobs.revive, job_id)

    if not with_host(data, run):
        console.print("There is no such dead letter.")
        raise typer.Exit(1)
    console.print("Queued again.")


@keys.command("new")
def new_key() -> None:
    """Print a fresh random secret, for HUTONG_SECRET or a realm's signing key."""
    typer.echo(secrets.token_urlsafe(48))


def user_id_of(text: str) -> int:
    found = parse_id(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no id")
    return found
