"""docs/reference/jobs.md: every kind of job and every schedule."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from hutong.host.reference import markdown as md
from hutong.host.settings import Settings
from hutong.host.wiring import Host
from hutong.kernel.assembly import Work
from hutong.kernel.jobs import Schedule, Task

INTRODUCTION = """
A job is a row written in the business transaction that makes it necessary; see [jobs](../kernel/jobs.md).
Runs after a failure come later each time, from the first wait to the longest one.
A run that takes longer than its limit counts as failed.
After the last run a job becomes a dead letter; where "given up" says so, what it stood for ends in that transaction.
"""
SCHEDULES = "A schedule starts its task once in the whole fleet each time. Cron times are UTC."


class Defaults(Settings):
    """The defaults of this version, whatever this machine's environment says."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: object, **__: object
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def render_jobs() -> str:
    """The page."""
    work = asyncio.run(_work())
    head = ("task", "runs", "first wait", "longest wait", "limit of a run", "given up", "what it does")
    tasks = md.table(head, (_task(task) for task in sorted(work.tasks, key=lambda task: task.name)))
    when = sorted((schedule.task, _when(schedule)) for schedule in work.schedules)
    schedules = md.table(("task", "when"), ((md.code(name), moment) for name, moment in when))
    return md.page("Jobs", INTRODUCTION, tasks, "## Schedules", SCHEDULES, schedules)


async def _work() -> Work:
    """What a host with all apps would do; nothing is started, and the folder is empty and gone afterwards."""
    with TemporaryDirectory() as folder:
        settings = Defaults(env="test", data=Path(folder), store_url="redis://127.0.0.1:1")
        host = Host(settings)
        try:
            return host.work
        finally:
            host.kernel.images.close()
            await host.outbound.close()
            await host.kernel.store.close()
            await host.kernel.db.close()


def _task(task: Task) -> tuple[str, ...]:
    retry = task.retry
    return (
        md.code(task.name),
        md.number(retry.attempts),
        f"{md.number(retry.first)} s",
        f"{md.number(retry.longest)} s",
        f"{md.number(task.timeout)} s",
        "ends its work" if task.on_dead else "dead letter only",
        md.first_sentence(task.handler.__doc__),
    )


def _when(schedule: Schedule) -> str:
    return md.code(schedule.cron) if schedule.cron else f"every {md.number(schedule.every or 60.0)} s"
