"""Looking after users: `hutong users create|list|show|block|unblock`."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hutong.host.cli.operate import Data, UserId, user_id_of, with_host
from hutong.host.wiring import SPECS, Host, check_apps
from hutong.kernel.assembly import Kernel
from hutong.kernel.audit import AuditEvent, record
from hutong.kernel.credits import balance_of
from hutong.kernel.credits.errors import AccountUnknown
from hutong.kernel.db import Connection
from hutong.kernel.identity import Accounts, UserRole
from hutong.kernel.identity import users as user_rows
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.identity.users import Listed
from hutong.kit.clock import iso_z
from hutong.kit.paging import PageRequest

console = Console()
AppOption = Annotated[str, typer.Option("--app", "--realm", help="The app whose user it is.")]
users = typer.Typer(help="Users.", no_args_is_help=True)


@users.command("create")
def create_user(
    email: Annotated[str, typer.Argument(help="The user's e-mail address.")],
    app: AppOption,
    admin: Annotated[bool, typer.Option("--admin", help="May do what operators may.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
    ] = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Sign in by mail codes only.")] = False,
    hashed: Annotated[str, typer.Option("--hash", help="An argon2id or bcrypt hash, of an import.")] = "",
    data: Data = None,
) -> None:
    """Open an account, without a mail to its address."""
    opened = _opener(app)
    password = None if no_password or hashed else _password(password_stdin)
    role = UserRole.ADMIN if admin else UserRole.USER

    async def run(host: Host) -> int:
        account = await opened(host.kernel).create(email, password=password, hashed=hashed or None, role=role)
        return account.id

    console.print(f"Created {with_host(data, run)}, {role.value} of {app}.")


@users.command("list")
def list_users(
    app: AppOption = "emoji", page: Annotated[int, typer.Option(min=1, help="Page, from 1.")] = 1, data: Data = None
) -> None:
    """List users, the newest first."""
    check_apps([app])

    async def run(host: Host) -> None:
        found = await host.kernel.db.read(user_rows.list_users, app, PageRequest(page, 50))
        for user in found.items:
            _print(_line(user))
        _print(f"{found.total} users of {app}.")

    with_host(data, run)


@users.command("show")
def show_user(user: UserId, app: AppOption = "emoji", data: Data = None) -> None:
    """Show a user and their balance."""
    user_id = user_id_of(user)

    async def run(host: Host) -> None:
        found = await host.kernel.db.read(user_rows.get_listed, app, user_id)
        points = await host.kernel.db.read(_points, user_id)
        locked = f"  locked until {iso_z(found.locked_until)}" if found.locked_until else ""
        _print(f"{_line(found)}{points}{locked}")

    with_host(data, run)


@users.command("block")
def block_user(user: UserId, app: AppOption = "emoji", data: Data = None) -> None:
    """Keep a user out and end their tokens everywhere."""
    _set_status(user_id_of(user), app, UserStatus.BLOCKED, data)


@users.command("unblock")
def unblock_user(user: UserId, app: AppOption = "emoji", data: Data = None) -> None:
    """Let a blocked user in again, and lift a lock."""
    _set_status(user_id_of(user), app, UserStatus.ACTIVE, data)


def _set_status(user_id: int, app: str, status: UserStatus, data: Path | None) -> None:
    check_apps([app])

    async def run(host: Host) -> None:
        opened = SPECS[app].open_accounts
        if opened is None:
            await _set_status_of_device_user(host, app, user_id, status)
        elif status is UserStatus.BLOCKED:
            await opened(host.kernel).block(user_id)
        else:
            await opened(host.kernel).unblock(user_id)

    with_host(data, run)
    console.print(f"User {user_id} is {status.value}.")


async def _set_status_of_device_user(host: Host, realm: str, user_id: int, status: UserStatus) -> None:
    kernel, blocked = host.kernel, status is UserStatus.BLOCKED

    def change(conn: Connection) -> None:
        now = kernel.clock.now()
        user_rows.set_status(conn, realm, user_id, status, now)
        if blocked:
            user_rows.revoke_tokens(conn, realm, user_id, now.replace(microsecond=0) + timedelta(seconds=1))
        kind = "account.blocked" if blocked else "account.unblocked"
        record(conn, AuditEvent(kernel.ids(), realm, kind, user_id, now))

    await kernel.db.write(change)
    await kernel.epochs.refresh(realm, user_id)


def _opener(app: str) -> Callable[[Kernel], Accounts]:
    check_apps([app])
    opened = SPECS[app].open_accounts
    if opened is None:
        raise typer.BadParameter(f"users of {app} have no e-mail address: they sign in by device")
    return opened


def _line(user: Listed) -> str:
    """One user on one line, whatever the width of the terminal."""
    names = (str(user.id), user.email or "", user.nickname, user.role.value, user.status.value)
    last = f"{user.login_count} sign-ins, the last {iso_z(user.last_login_at)}" if user.last_login_at else ""
    return "  ".join(part for part in (*names, last, f"since {iso_z(user.created_at)}") if part)


def _print(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _points(conn: Connection, user_id: int) -> str:
    """The balance, of a user who has one."""
    try:
        return f"  {balance_of(conn, user_id)} points"
    except AccountUnknown:
        return ""


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
