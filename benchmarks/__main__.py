"""`python -m benchmarks [NAME]…`: run benchmarks, print a table of what each found, write them all to results.md."""

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report
from benchmarks.measure import Finding

ALL = (
    "ledger",
    "quotas",
    "jobs",
    "job_peers",
    "balance",
    "authenticated",
    "storefront_me",
    "chat_conversations",
    "storefront_rotation",
    "storefront_logins",
    "reclaim",
    "scale",
    "chat_relay",
    "chat_sockets",
    "chat_tabs",
    "chat_completions",
    "follow",
    "start",
)
console = Console(width=None if sys.stdout.isatty() else 110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns 1 when a goal was missed, so that a person sees it. No test depends on that."""
    chosen = _chosen(arguments)
    on = machine.described()
    for name, value in on.items():
        console.print(f"[bold]{name}[/]: {value}", highlight=False)
    results: dict[str, tuple[str, list[Finding]]] = {}
    for name in chosen.names or ALL:
        module = importlib.import_module(f"benchmarks.{name}")
        title = (module.__doc__ or "").splitlines()[0]
        console.print(f"\n[bold]{name}[/]: {title}", highlight=False)
        found = asyncio.run(module.run(quick=chosen.quick))
        report.show(console, found)
        results[name] = title, found
    page = chosen.output or (None if chosen.names or chosen.quick else report.RESULTS)
    if page is not None:
        report.write(page, results, on, quick=chosen.quick)
    return 0 if all(finding.reached for _, found in results.values() for finding in found) else 1


def _chosen(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(ALL)}; all when left out")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, to see that they run")
    parser.add_argument("--output", type=Path, help="page to write; benchmarks/results.md after a full run of all")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(ALL):
        parser.error(f"there is no benchmark called {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
