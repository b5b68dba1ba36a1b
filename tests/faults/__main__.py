"""`python -m faults`, with `tests` on the path: the fault suite in its long form. See docs/faults.md."""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from faults import report
from faults.fleet import fleet_on
from faults.places import DATABASES, STORES
from faults.run import Outcome, run
from faults.scenarios import SCENARIOS, Finding, Ground

console = Console()


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many (200)")
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--store", choices=STORES, default="embedded")
    parser.add_argument("--seed", type=int, default=None, help="of the choice of faults; printed when left out")
    parser.add_argument("--pause", type=float, default=0.5, help="average seconds between two faults (0.5)")
    parser.add_argument("--lease", type=float, default=1.0, help="seconds of a job's lease (1)")
    parser.add_argument("--report", type=Path, default=None, help="put the report into this file too, as Markdown")
    parser.add_argument("--scenario", choices=("all", "none", *SCENARIOS), default="none", help="also these (none)")
    parser.add_argument("--shorter", type=float, default=1.0, help="divide the seconds of the scenarios by this (1)")
    parser.add_argument("--keep", type=Path, default=None, help="keep data and logs in this folder")
    return parser.parse_args()


async def strike(options: argparse.Namespace, seed: int, folder: Path) -> Outcome:
    """One run, with a progress bar."""
    columns = (TextColumn("{task.description:45.45}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting", total=options.faults)
        async with fleet_on(folder, options.database, options.store, lease_seconds=options.lease) as fleet:

            def told(count: int, name: str) -> None:
                progress.update(bar, completed=count, description=name)

            return await run(fleet, options.faults, seed, options.pause, told)


async def play(options: argparse.Namespace, seed: int, folder: Path) -> list[Finding]:
    """The scenarios that were asked for, one after the other."""
    findings = []
    for name, (scenario, seconds) in SCENARIOS.items():
        if options.scenario in {"all", name}:
            lasting = seconds / options.shorter
            with console.status(f"{name}: {lasting:.0f} s of trouble"):
                ground = Ground(folder / name, options.database, options.store, lasting, seed)
                findings.append(await scenario(ground))
            console.print(report.finding_line(findings[-1]))
    return findings


def main() -> int:
    """Run it; 1 when anything was lost or doubled."""
    options = arguments()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    console.print(f"{options.faults} faults on {options.database} and {options.store}, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="hutong-faults-") as temporary:
        folder = options.keep or Path(temporary)
        outcome = asyncio.run(strike(options, seed, folder / "faults")) if options.faults else Outcome.nothing()
        findings = asyncio.run(play(options, seed, folder))
    shown = report.Run(options.database, options.store, seed, options.lease)
    report.show(console, shown, outcome, findings)
    if options.report is not None:
        report.write(options.report, report.markdown(shown, outcome, findings))
    return 0 if outcome.clean and all(finding.kept for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
