"""Looking after data: ledger, credits, users, jobs, keys."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from hutong.host.cli.run import settings_for
from hutong.host.wiring import Host
from hutong.kernel.credits import EntryKind, balance_of, grant
from hutong.kernel.credits.ledger import Move
from hutong.kernel.identity import users as user_rows
from hutong.kernel.identity.sessions import Endings
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.observability import logs
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id
from hutong.kit.paging import PageRequest

T = TypeVar("T")
console = Console()
Data = Annotated[Path | None, typer.Option("--data", help="Data folder.", show_default="./data")]
UserId = Annotated[str, typer.Argument(help="The user's id.")]
RealmOption = Annotated[str, typer.Option("--realm", help="The user's realm.")]

ledger = typer.Typer(help="The credits ledger.", no_args_is_help=True)
credits_group = typer.Typer(help="Users' points.", no_args_is_help=True)
users = typer.Typer(help="Users.", no_args_is_help=True)
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
    user_id = _user(user)

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


@users.command("show")
def show_user(user: UserId, realm: RealmOption = "emoji", data: Data = None) -> None:
    """Show a user and their balance."""
    user_id = _user(user)

    async def run(host: Host) -> None:
        db = host.kernel.db
        found = await db.read(user_rows.get_user, realm, user_id)
        balance = await db.read(balance_of, user_id)
        console.print(
            f"{found.id}  {found.nickname}  {found.status.value}  {balance} points  since {iso_z(found.created_at)}"
        )

    with_host(data, run)


@users.command("block")
def block_user(user: UserId, realm: RealmOption = "emoji", data: Data = None) -> None:
    """Keep a user out and end their tokens everywhere."""
    _set_status(_user(user), realm, UserStatus.BLOCKED, data)


@users.command("unblock")
def unblock_user(user: UserId, realm: RealmOption = "emoji", data: Data = None) -> None:
    """Let a blocked user in again."""
    _set_status(_user(user), realm, UserStatus.ACTIVE, data)


def _set_status(user_id: int, realm: str, status: UserStatus, data: Path | None) -> None:
    async def run(host: Host) -> None:
        kernel = host.kernel
        await kernel.db.write(user_rows.set_status, realm, user_id, status, kernel.clock.now())
        if status is UserStatus.BLOCKED:
            moment = kernel.clock.now().replace(microsecond=0) + timedelta(seconds=1)
            await kernel.db.write(user_rows.revoke_tokens, realm, user_id, moment)
        await kernel.epochs.refresh(realm, user_id)
        if status is UserStatus.BLOCKED:
            await Endings(realm, kernel.db, kernel.store, kernel.clock).end_all(user_id)

    with_host(data, run)
    console.print(f"User {user_id} is {status.value}.")


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
    job_id = _user(job)

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


def _user(text: str) -> int:
    found = parse_id(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no id")
    return found
