"""Findings for a person at a terminal, and as a page: benchmarks/results.md."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Finding

RESULTS = Path(__file__).with_name("results.md")
COLUMNS = ("what", "ours", "floor or peer", "figure", "goal", "")
Results = Mapping[str, tuple[str, Sequence[Finding]]]
"""By benchmark: its title and what it found."""


def show(console: Console, findings: Sequence[Finding]) -> None:
    """One benchmark's table."""
    table = Table(show_edge=False)
    for title in COLUMNS:
        table.add_column(title)
    for finding in findings:
        colour = "green" if finding.reached else "red"
        table.add_row(*_cells(finding)[:-1], f"[{colour}]{_mark(finding)}[/]")
    console.print(table)


def write(path: Path, results: Results, machine: Mapping[str, str], *, quick: bool) -> None:
    """All tables as a Markdown page.

    Args:
        path: of the page; written over.
        results: what was measured.
        machine: what it was measured on.
        quick: fewer and shorter rounds, which the page then says.
    """
    today = datetime.now(UTC).date().isoformat()  # noqa: TID251 - of the run
    lines = ["# Benchmark results", "", f"Written by `make bench` on {today}; how to read it: docs/benchmarks.md."]
    if quick:
        lines.append("**A quick run: few and short rounds, so these figures are rough.**")
    lines += ["", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())]
    for name, (title, findings) in results.items():
        lines += ["", f"## {name}", title, "", *_rows(findings)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _rows(findings: Sequence[Finding]) -> list[str]:
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    return [*head, *(f"| {' | '.join(_cells(finding))} |" for finding in findings)]


def _cells(finding: Finding) -> tuple[str, ...]:
    return finding.what, finding.ours, finding.other, finding.figure, finding.wish, _mark(finding)


def _mark(finding: Finding) -> str:
    if finding.goal is None:
        return ""
    return "reached" if finding.reached else "missed"
