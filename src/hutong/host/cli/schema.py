"""The schema beside Alembic: `hutong schema sync`."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from hutong.host import schema_sync, wiring
from hutong.host.cli.run import Data, settings_for
from hutong.host.schema_plan import Plan, Step
from hutong.host.schema_sync import Outcome
from hutong.host.settings import Settings
from hutong.kernel.db import metadata

assert wiring.SPECS  # importing it has declared every table

DRIFT = 2
"""Exit status of `--check` when the database differs."""
out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
schema = typer.Typer(help="The database's tables, compared with those of the code.", no_args_is_help=True)


@schema.callback()
def root() -> None:
    """The database's tables, compared with those of the code."""


@schema.command()
def sync(
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help=f"Change nothing; exit {DRIFT} if the database differs.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Change nothing; print the statements.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON; change nothing without --yes.")] = False,
) -> None:
    """Add tables, columns and indexes that the code has and the database lacks; never drop or narrow anything."""
    if yes and (check or sql):
        raise typer.BadParameter("--check and --sql change nothing; leave --yes out")
    settings = settings_for(data)
    plan = schema_sync.plan(settings, metadata)
    if json:
        _machine(settings, plan, yes=yes, check=check)
    else:
        _person(settings, plan, yes=yes, check=check, sql=sql)
    if check and plan.drifted:
        raise typer.Exit(DRIFT)


def _person(settings: Settings, plan: Plan, *, yes: bool, check: bool, sql: bool) -> None:
    _warn(plan)
    if sql:
        _print_sql(plan)
        return
    _print_plan(plan)
    if check or not plan.steps:
        return
    if not yes:
        _ask()
    _report(_run(settings, plan, lambda step: out.print(f"  … {step}", markup=False)))


def _machine(settings: Settings, plan: Plan, *, yes: bool, check: bool) -> None:
    done = _run(settings, plan, lambda _: None) if yes and plan.steps and not check else None
    typer.echo(orjson.dumps(_as_json(plan, done), option=orjson.OPT_INDENT_2).decode())


def _run(settings: Settings, plan: Plan, tell: Any) -> Outcome:
    return schema_sync.sync(settings, metadata, plan, tell, schema_sync.newest_revision())


def _ask() -> None:
    """Go on only if somebody says so.

    Raises:
        typer.Exit: 1.
    """
    if not sys.stdin.isatty():
        err.print("[bold red]Nothing was changed:[/] there is nobody to ask; --yes goes on without asking.")
        raise typer.Exit(1)
    if not typer.confirm("Make these additions?"):
        err.print("Nothing was changed.")
        raise typer.Exit(1)


def _warn(plan: Plan) -> None:
    if plan.revision is not None:
        err.print(
            f"[yellow]Alembic looks after this database (revision {plan.revision}).[/] What is added here, a later "
            "migration will find there already, and fail: hutong migrate is the way to change it."
        )


def _print_plan(plan: Plan) -> None:
    if not plan.drifted:
        out.print("[green]The database has what the code asks for.[/]")
    for title, rows in (("To be added", plan.steps), ("Held back, never done by this command", plan.held_back)):
        if rows:
            out.print(f"[bold]{title}:[/]")
        for row in rows:
            out.print(f"  {row}", markup=False)
            for line in _below(row):
                out.print(f"      {line}", markup=False, style="dim")
    if plan.foreign:
        out.print(f"Left alone, for no code of ours knows them: {', '.join(plan.foreign)}", markup=False)


def _below(row: Any) -> Sequence[str]:
    return [line for statement in row.sql for line in statement.splitlines()] if isinstance(row, Step) else [row.advice]


def _print_sql(plan: Plan) -> None:
    for step in plan.steps:
        for statement in step.sql:
            typer.echo(f"{statement};")
    if plan.fresh and not plan.held_back and (revision := schema_sync.newest_revision()) is not None:
        for statement in schema_sync.stamp_sql(revision):
            typer.echo(f"{statement};")
    for held in plan.held_back:
        typer.echo(f"-- held back: {held}: {held.advice}")


def _report(outcome: Outcome) -> None:
    out.print(f"[green]{outcome.done} additions were made.[/]" if outcome.done else "Another run has made them.")
    if outcome.stamped:
        out.print(f"The schema is that of revision {outcome.stamped}; hutong migrate goes on from there.")
    elif outcome.left.revision is None:
        out.print("Alembic does not know this database; serve and worker want hutong migrate on an empty one.")
    if outcome.left.held_back:
        out.print(f"[yellow]{len(outcome.left.held_back)} differences are held back; see above.[/]")


def _as_json(plan: Plan, outcome: Outcome | None) -> dict[str, Any]:
    steps = [{"what": step.what, "table": step.table, "name": step.name, "sql": list(step.sql)} for step in plan.steps]
    held = [
        {"what": each.what, "table": each.table, "name": each.name, "advice": each.advice} for each in plan.held_back
    ]
    return {
        "steps": steps,
        "held_back": held,
        "foreign_tables": list(plan.foreign),
        "alembic_revision": plan.revision,
        "made": None if outcome is None else outcome.done,
        "stamped": None if outcome is None else outcome.stamped,
    }
