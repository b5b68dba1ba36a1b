"""`hutong`: the commands, and how their failures look."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from hutong import __version__
from hutong.host.cli import doctor, operate, orders, people, run
from hutong.host.cli.demo import demo
from hutong.host.cli.schema import schema
from hutong.kernel.settings import SettingsRefused
from hutong.kit.errors import HutongError

app = typer.Typer(
    name="hutong",
    help="Consumer-AI backends on one kernel: start them, work their jobs, look after their data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"hutong {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Consumer-AI backends on one kernel. Settings: HUTONG_… variables or config.yaml (docs/reference/settings.md)."""


def _add(command: Callable[..., None], name: str) -> None:
    app.command(name)(command)


for _command, _name in (
    (run.up, "up"),
    (run.serve, "serve"),
    (run.worker, "worker"),
    (run.store, "store"),
    (run.migrate, "migrate"),
    (demo, "demo"),
    (doctor.doctor, "doctor"),
):
    _add(_command, _name)
app.add_typer(schema, name="schema")
app.add_typer(operate.ledger, name="ledger")
app.add_typer(operate.credits_group, name="credits")
app.add_typer(people.users, name="users")
app.add_typer(operate.jobs, name="jobs")
app.add_typer(operate.keys, name="keys")
app.add_typer(orders.orders, name="orders")


def _reason(error: HutongError) -> str:
    """What the driver or the system said, in one line: SQLAlchemy adds the statement and an address for reading on."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    words = str(cause).split() if cause is not None else ()
    return f" ({' '.join(words)})" if words else ""


def main() -> None:
    """Run the command line; expected failures are one line and exit code 1, not a stack trace."""
    try:
        app()
    except SettingsRefused as error:
        console.print(f"[bold red]Hutong will not start:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except HutongError as error:
        console.print(f"[bold red]{error.code}:[/] {error.message}{_reason(error)}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        console.print(f"[bold red]This machine refuses:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
