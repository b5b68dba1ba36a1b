"""`python -m faults`, from the folder `tests`: the fault suite in its long form. See docs/faults.md."""

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
from faults.scenarios import Finding

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
    parser.add_argument("--report", type=Path, default=None, help="also write the report to this file, as Markdown")
    parser.add_argument("--keep", type=Path, default=None, help="keep data and logs in this folder")
    return parser.parse_args()


async def strike(options: argparse.Namespace, seed: int, folder: Path) -> tuple[Outcome, list[Finding]]:
    """One run, with a progress bar."""
    columns = (TextColumn("{task.description:45.45}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting", total=options.faults)
        async with fleet_on(folder, options.database, options.store, lease_seconds=options.lease) as fleet:

            def told(count: int, name: str) -> None:
                progress.update(bar, completed=count, description=name)

            return await run(fleet, options.faults, seed, options.pause, told), []


def main() -> int:
    """Run it; 1 when anything was lost or doubled."""
    options = arguments()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    console.print(f"{options.faults} faults on {options.database} and {options.store}, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="hutong-faults-") as temporary:
        outcome, findings = asyncio.run(strike(options, seed, options.keep or Path(temporary)))
    shown = report.Run(options.database, options.store, seed, options.lease)
    report.show(console, shown, outcome, findings)
    if options.report is not None:
        options.report.write_text(report.markdown(shown, outcome, findings), "utf-8")
    return 0 if outcome.clean and all(finding.kept for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
