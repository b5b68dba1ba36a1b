"""Workers in this process whose clocks are wrong, beside the fleet's own, whose clocks are right."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from faults.fleet import Fleet
from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from hutong.kernel.jobs import Again, Job, Worker
from hutong.kernel.jobs.policies import Handler
from hutong.kit.clock import SystemClock
from support.installation import QUICK

PREFIX = "HUTONG_"
OF_THE_PROCESS = {"HUTONG_FAILPOINTS", "HUTONG_CONFIG"}


@dataclass
class WrongClock(SystemClock):
    """The system's clock, wrong by as much as it is told; its monotonic side is right, as on a real machine."""

    wrong_by: timedelta = field(default_factory=timedelta)
    worked: int = 0

    def now(self) -> datetime:
        return super().now() + self.wrong_by


@asynccontextmanager
async def wrong_workers(fleet: Fleet, number: int = 2) -> AsyncIterator[list[WrongClock]]:
    """Start workers and give their clocks, which are right at first."""
    variables = {**QUICK, **fleet.installation.environment, "HUTONG_DATA": str(fleet.installation.data)}
    settings = load_settings(**_nested(variables))
    clocks = [WrongClock() for _ in range(number)]
    running = [asyncio.create_task(_work(Host(settings, clock=clock), clock)) for clock in clocks]
    try:
        yield clocks
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _work(host: Host, clock: WrongClock) -> None:
    """A worker as `Host.worker` makes it, which counts its runs."""
    await host.start()
    tasks = [replace(task, handler=_counted(task.handler, clock)) for task in host.work.tasks]
    kernel, settings = host.kernel, host.settings.jobs
    worker = Worker(kernel.db, host.bell, kernel.jobs, clock, tasks, host.work.schedules, settings)
    run = asyncio.create_task(worker.run())
    try:
        await asyncio.shield(run)
    finally:
        worker.stop()
        await asyncio.gather(run, return_exceptions=True)
        await host.stop()


def _counted(handler: Handler, clock: WrongClock) -> Handler:
    async def counted(job: Job) -> Again | None:
        clock.worked += 1
        return await handler(job)

    return counted


def _nested(variables: Mapping[str, str]) -> dict[str, Any]:
    """Environment variables as the arguments of `load_settings`: `HUTONG_A__B` is b in a."""
    found: dict[str, Any] = {}
    for name, value in variables.items():
        if name.startswith(PREFIX) and name not in OF_THE_PROCESS:
            *parents, last = name.removeprefix(PREFIX).lower().split("__")
            place = found
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
    return found
