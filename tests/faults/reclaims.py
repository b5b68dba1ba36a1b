"""How long a dead worker's jobs lie before another one takes them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from hutong.kernel.db import Database
from hutong.kernel.jobs.tables import JobState, jobs
from hutong.kit.errors import HutongError

LOOK_SECONDS = 0.05
GOAL_SECONDS = 15.0


@dataclass
class Reclaims:
    """Looks after the jobs of workers that were killed; `seconds` grows by one number for each job taken over."""

    db: Database
    seconds: list[float] = field(default_factory=list)
    _open: dict[int, tuple[int, float]] = field(default_factory=dict)

    async def watch(self, pid: int) -> int:
        """Note the jobs that a worker held which has just been killed; returns how many there were."""
        died = time.monotonic()
        try:
            held = await self.db.read(_held, pid)
        except HutongError:
            return 0
        self._open.update({job_id: (token, died) for job_id, token in held})
        return len(held)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._open:
                try:
                    tokens = await self.db.read(_tokens, list(self._open))
                except HutongError:
                    continue
                self._close(tokens)

    def _close(self, tokens: dict[int, int]) -> None:
        now = time.monotonic()
        for job_id, (token, died) in list(self._open.items()):
            if tokens.get(job_id) != token:  # claimed again, or even done
                del self._open[job_id]
                self.seconds.append(now - died)

    @property
    def still_open(self) -> int:
        """Jobs that nobody has taken over yet."""
        return len(self._open)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of `values` lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _held(conn: Connection, pid: int) -> list[tuple[int, int]]:
    rows = conn.execute(select(jobs.c.id, jobs.c.token, jobs.c.worker).where(jobs.c.state == JobState.RUNNING))
    return [(row.id, row.token) for row in rows if f":{pid}:" in (row.worker or "")]


def _tokens(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    rows = conn.execute(select(jobs.c.id, jobs.c.token).where(jobs.c.id.in_(ids)))
    return {row.id: row.token for row in rows}
