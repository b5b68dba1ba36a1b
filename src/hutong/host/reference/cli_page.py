"""docs/reference/cli.md: every command with its arguments and options."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from hutong.host.cli.main import app
from hutong.host.reference import markdown as md

INTRODUCTION = """
`hutong` is `.venv/bin/hutong` after `make setup`; `hutong COMMAND --help` shows the same.
Options win over the environment and `config.yaml` ([settings](settings.md)).
An expected failure is one line and exit code 1.
"""


def render_cli() -> str:
    """The page."""
    root = typer.main.get_command(app)
    parts = [part for name, command in list_commands(root, "hutong") for part in _command(name, command)]
    return md.page("Command line", INTRODUCTION, *parts)


def list_commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and, below it, those of its group, in the order of `--help`."""
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from list_commands(inner, f"{name} {word}")


def _command(name: str, command: Any) -> list[str]:
    level = "##" if name.count(" ") < 2 else "###"
    rows = [_parameter(parameter) for parameter in command.params]
    table = md.table(("argument or option", "default", "meaning"), rows) if rows else ""
    return [f"{level} `{name}`", " ".join((command.help or "").split()), table]


def _parameter(parameter: Any) -> tuple[str, str, str]:
    shown = ", ".join(md.code(name) for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        shown = md.code(parameter.metavar or parameter.name.upper())
    return shown, _default(parameter), parameter.help or ""


def _default(parameter: Any) -> str:
    """What `--help` shows as the default; a switch that is off has none."""
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return md.code(parameter.show_default)
    value = parameter.default
    if value is None or value is False or value in ("", [], ()):
        return ""
    return md.code(value.as_posix() if isinstance(value, Path) else value)
