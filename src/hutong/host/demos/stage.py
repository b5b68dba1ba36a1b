"""What every part of the demo has: where Hutong listens, a client, a console, a folder for what is made."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from hutong.kernel.http.outbound import Outbound


class DemoFailed(Exception):
    """The demo did not get what it should."""


@dataclass(frozen=True)
class Stage:
    """Where the demo plays.

    Args:
        base: URL of this installation.
        outbound: the client.
        console: for people.
        output: folder for what is made.
    """

    base: str
    outbound: Outbound
    console: Console
    output: Path

    def progress(self) -> Progress:
        """A line that says what is being done."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self.console)


@dataclass(frozen=True)
class Line:
    """The steps of a story: those that are done stay on the screen, the present one moves."""

    bar: Progress
    task: TaskID

    def done(self, what: str, then: str) -> None:
        """Say what was done, and what is being done now."""
        self.bar.console.print(f"  [green]✓[/] {what}", highlight=False)
        self.bar.update(self.task, advance=1, description=then)
