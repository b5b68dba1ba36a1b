"""What benchmarks share: findings, rounds that alternate, processor time."""

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil


@dataclass(frozen=True)
class Finding:
    """One line of the result.

    Args:
        what: was measured.
        ours: our figure, with its unit.
        other: the floor's or peer's figure in the same run; empty if there is none.
        value: the number that is compared with the goal: a ratio, or a figure of its own.
        unit: of `value`; empty for a ratio.
        goal: what was promised; None: the figure is only shown.
        better: whether more or less is better.
    """

    what: str
    ours: str
    other: str
    value: float
    unit: str = ""
    goal: float | None = None
    better: Literal["more", "less"] = "more"

    @property
    def reached(self) -> bool:
        if self.goal is None:
            return True
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    @property
    def figure(self) -> str:
        return f"{self.value:.3g} {self.unit}".strip()

    @property
    def wish(self) -> str:
        if self.goal is None:
            return ""
        return f"{'≥' if self.better == 'more' else '≤'} {self.goal:g} {self.unit}".strip()


@dataclass(frozen=True)
class Cost:
    """What one round took.

    Args:
        count: pieces of work.
        wall: seconds by the clock.
        cpu: seconds of processor time of what is measured.
    """

    count: int
    wall: float
    cpu: float

    @property
    def per_second(self) -> float:
        return self.count / self.wall

    @property
    def per_cpu_second(self) -> float:
        return self.count / self.cpu

    @property
    def cpu_micros(self) -> float:
        return self.cpu / self.count * 1e6


Round = Callable[[], Awaitable[Cost]]


async def alternate_all(measured: Mapping[str, Round], rounds: int) -> dict[str, list[Cost]]:
    """Rounds in the order A B C C B A A B C …, so that a machine that slows down slows all."""
    found: dict[str, list[Cost]] = {name: [] for name in measured}
    for number in range(rounds):
        for name in list(measured)[:: 1 if number % 2 == 0 else -1]:
            found[name].append(await measured[name]())
    return found


async def alternate(ours: Round, other: Round, rounds: int) -> tuple[list[Cost], list[Cost]]:
    """`alternate_all` for two."""
    found = await alternate_all({"ours": ours, "other": other}, rounds)
    return found["ours"], found["other"]


def median(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
    return statistics.median(figure(cost) for cost in costs)


class Stopwatch:
    """Clock and processor time of some processes, this one when no other is named."""

    def __init__(self, *processes: psutil.Process) -> None:
        self._processes = processes or (psutil.Process(os.getpid()),)
        self._wall, self._cpu = time.perf_counter(), self._spent()

    def _spent(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return float(sum(each.user + each.system for each in times))

    def cost(self, count: int) -> Cost:
        """Since it was made."""
        return Cost(count, time.perf_counter() - self._wall, max(self._spent() - self._cpu, 1e-9))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
