"""Detection at the pace that the account allows: callers wait for their turn here, not at the vendor.

The pace is kept in SQL for the whole fleet; nobody holds a transaction or a connection while waiting.
"""

import asyncio

from hutong.kernel.db import Database
from hutong.kernel.gateway import FaceDetection, FaceVerdict, ProviderThrottled
from hutong.kernel.gateway.slots import reserve_turn
from hutong.providers.dashscope.settings import DashScopeSettings

LANE = "dashscope.detect"
TRIES = 3
MARGIN_SECONDS = 0.05


class PacedDetection:
    """A `FaceDetection` that waits for its turn and asks again when the vendor is busy all the same."""

    def __init__(self, inner: FaceDetection, db: Database, settings: DashScopeSettings) -> None:
        self._inner, self._db, self._settings = inner, db, settings

    async def detect(self, image_url: str) -> FaceVerdict:
        """As the inner one.

        Raises:
            ProviderThrottled: the line is too long, or the vendor stays busy.
        """
        for left in reversed(range(TRIES)):
            await self._wait_for_turn()
            try:
                return await self._inner.detect(image_url)
            except ProviderThrottled:
                if left == 0:
                    raise
        raise AssertionError("unreachable")

    async def _wait_for_turn(self) -> None:
        pace, longest = self._settings.detect_per_second, self._settings.detect_wait
        wait = await self._db.write(reserve_turn, LANE, pace, longest)
        if wait is None:
            raise ProviderThrottled("Many pictures are being looked at; try again shortly.", retry_after=longest / 2)
        if wait > 0:
            await asyncio.sleep(wait + MARGIN_SECONDS)
