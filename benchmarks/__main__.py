"""`python -m benchmarks [NAME]…`: run benchmarks, print a table of what each found."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Finding

ALL = ("ledger", "jobs", "balance", "follow", "start")
console = Console(width=None if sys.stdout.isatty() else 110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns 1 when a goal was missed, so that a person sees it. No test depends on that."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(ALL)}; all when left out")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, to see that they run")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(ALL):
        parser.error(f"there is no benchmark called {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    findings: list[Finding] = []
    for name in chosen.names or ALL:
        module = importlib.import_module(f"benchmarks.{name}")
        console.print(f"[bold]{name}[/]: {(module.__doc__ or '').splitlines()[0]}", highlight=False)
        found = asyncio.run(module.run(quick=chosen.quick))
        console.print(_table(found))
        findings += found
    return 0 if all(finding.reached for finding in findings) else 1


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(show_edge=False)
    for title in ("what", "ours", "floor or peer", "figure", "goal", ""):
        table.add_column(title)
    for finding in findings:
        mark = "[green]reached[/]" if finding.reached else "[red]missed[/]"
        mark = mark if finding.goal is not None else ""
        table.add_row(finding.what, finding.ours, finding.other, finding.figure, finding.wish, mark)
    return table


if __name__ == "__main__":
    sys.exit(main())
