"""The table of a run: on the terminal, and as a page in Markdown."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.reclaims import GOAL_SECONDS, percentile
from faults.run import Outcome
from faults.scenarios import Finding

SHOWN = 40
TITLE = """# The last runs of the fault suite

Each section is written by `make faults` with `--report`.
What is counted, and what it does not show, is in [faults](faults.md).
"""
HEADING = "\n## "


@dataclass(frozen=True)
class Run:
    """What was asked for."""

    database: str
    store: str
    seed: int
    lease_seconds: float


def rows_of(outcome: Outcome) -> list[tuple[str, str]]:
    """The account as (what, how many)."""
    account = outcome.account
    return [
        ("faults", str(outcome.struck.total())),
        ("seconds", f"{outcome.seconds:.0f}"),
        ("creations acknowledged", str(account.promised)),
        ("… completed", str(account.completed)),
        ("… failed, points back", str(account.failed)),
        ("… of these removed by their owner", str(account.removed)),
        ("charges", str(account.charges)),
        ("refunds", str(account.refunds)),
        ("videos stored", str(account.results)),
        ("… of these without a task, removed at night", str(account.strays)),
        ("submissions accepted by the vendor", str(account.remote)),
        ("… beyond one a task, their answers unknowable", str(account.unknowable)),
        ("jobs given up", str(account.dead.total())),
        ("**lost**", str(len(account.lost))),
        ("**doubled**", str(len(account.doubled))),
        ("**other broken promises**", str(len(account.broken) + len(outcome.broken_meanwhile))),
    ]


def reclaim_line(name: str, seconds: Sequence[float]) -> str:
    """How long dead workers' jobs lay, in one sentence."""
    if not seconds:
        return f"{name}: no killed worker held a job."
    parts = [f"p{round(share * 100)} {percentile(seconds, share):.1f} s" for share in (0.5, 0.99)]
    goal = f"goal: p99 of at most {GOAL_SECONDS:g} s"
    return f"{name}: {len(seconds)} jobs, {', '.join(parts)}, longest {max(seconds):.1f} s ({goal})."


def complaints(outcome: Outcome) -> Iterable[str]:
    """Everything that is wrong, one line each."""
    for kind, lines in (
        ("lost", outcome.account.lost),
        ("doubled", outcome.account.doubled),
        ("broken", [*outcome.account.broken, *outcome.broken_meanwhile]),
    ):
        yield from (f"{kind}: {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"{kind}: and {len(lines) - SHOWN} more"


def finding_line(finding: Finding) -> str:
    """A scenario in one line."""
    return f"{'[green]kept[/]' if finding.kept else '[red]BROKEN[/]'} {finding.name}: {finding.text}"


def show(console: Console, run: Run, outcome: Outcome, findings: Sequence[Finding]) -> None:
    """Print it."""
    table = Table("", "", title=f"{run.database}, {run.store}, seed {run.seed}", show_header=False)
    for what, number in rows_of(outcome):
        table.add_row(what.replace("**", ""), number)
    console.print(table)
    console.print(reclaim_line(f"Jobs of killed workers taken over (lease {run.lease_seconds:g} s)", outcome.reclaims))
    for finding in findings:
        console.print(finding_line(finding), highlight=False)
    for line in complaints(outcome):
        console.print(f"[red]{line}[/]", highlight=False)


def markdown(run: Run, outcome: Outcome, findings: Sequence[Finding]) -> str:
    """The same as a page."""
    alone = "" if outcome.struck else f": {', '.join(finding.name for finding in findings)}"
    lines = [f"## {run.database}, {run.store}{alone}", ""]
    lines += [f"Seed {run.seed}; Python {platform.python_version()}; {platform.system()}.", ""]
    if outcome.struck:
        lines += ["| | |", "|---|---:|", *(f"| {what} | {number} |" for what, number in rows_of(outcome)), ""]
        taken_over = f"Jobs of killed workers taken over (lease {run.lease_seconds:g} s)"
        lines += [reclaim_line(taken_over, outcome.reclaims), ""]
    if findings:
        lines += ["| scenario | | what was seen |", "|---|---|---|"]
        lines += [f"| {one.name} | {'kept' if one.kept else '**broken**'} | {one.text} |" for one in findings]
        lines.append("")
    if outcome.struck:
        lines += ["| fault | times |", "|---|---:|"]
        lines += [f"| {name} | {times} |" for name, times in outcome.struck.most_common()]
    lines += ["", *(f"- {line}" for line in complaints(outcome))]
    return "\n".join(lines).rstrip() + "\n"


def write(path: Path, section: str) -> None:
    """Put a run's section into the report, in the place of an older one under the same heading."""
    old = path.read_text("utf-8") if path.exists() else TITLE
    head, *sections = old.rstrip().split(HEADING)
    kept = [one for one in sections if one.splitlines()[0] != section.removeprefix("## ").splitlines()[0]]
    parts = [head.rstrip() + "\n", *sorted([*kept, section.removeprefix("## ")])]
    path.write_text(HEADING.join(part.rstrip() + "\n" for part in parts), "utf-8")
