"""A process with quotas, as an API process is one: `reserving.py URL VERB WORD…`, told to go by a line on its input.

`rush FIRST COUNT LIMIT` reserves so often at once, half by each way, and prints how often it got something.
`reserve ID`, `write ID` and `settle ID TOKENS` do it once; with a failpoint armed they do not live to tell.
"""

import asyncio
import sys

from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.quotas import Limits, QuickQuotas, QuotaExhausted, Quotas
from hutong.kit.clock import SystemClock

USER = 42
UNLIMITED = Limits(None, None, None, None)


class Process:
    """One user's reservations through a pool of its own."""

    def __init__(self, db: Database) -> None:
        self._db, self._quotas = db, Quotas("chat", SystemClock())
        self._quick = QuickQuotas(self._quotas, db)

    async def rush(self, first: int, number: int, limit: int) -> int:
        """How many of `number` reservations at once the limit let through."""
        limits = Limits(limit, None, None, None)
        return sum(await asyncio.gather(*(self._try(first + at, limits) for at in range(number))))

    async def _try(self, reservation_id: int, limits: Limits) -> bool:
        try:
            await (self.reserve if reservation_id % 2 else self.write)(reservation_id, limits)
        except QuotaExhausted:
            return False
        return True

    async def reserve(self, reservation_id: int, limits: Limits) -> None:
        await self._quick.reserve(
            reservation_id=reservation_id,
            user_id=USER,
            limits=limits,
            tokens=100,
            seconds=0.001,
            owner=f"reply:{reservation_id}",
        )

    async def write(self, reservation_id: int, limits: Limits) -> None:
        await self._db.write(
            self._quotas.reserve,
            reservation_id=reservation_id,
            user_id=USER,
            limits=limits,
            tokens=100,
            seconds=0.001,
            owner=f"reply:{reservation_id}",
        )

    async def settle(self, reservation_id: int, tokens: int) -> None:
        await self._db.write(self._quotas.settle, reservation_id, tokens)


def say(word: object) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(url: str, verb: str, first: int, *numbers: int) -> None:
    process = Process(open_database(load_settings(env="test", database_url=url)))
    say("ready")
    sys.stdin.readline()
    if verb == "rush":
        say(await process.rush(first, *numbers))
    elif verb == "settle":
        await process.settle(first, *numbers)
    else:
        await (process.reserve if verb == "reserve" else process.write)(first, UNLIMITED)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
