"""What every call to a bucket goes through: a time limit, a breaker, a metric, and the port's errors."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hutong.kernel.files.errors import StorageFailed, StorageFull
from hutong.kernel.http.outbound import Breaker, CircuitOpen
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kit.errors import HutongError

_log = logger("files.remote")
Translate = Callable[[Exception], HutongError | None]


class RemoteCalls:
    """Calls of one process to one vendor's storage.

    Args:
        vendor: name for metrics and logs.
        seconds: that one call may take, its tries included.
        translate: the port's error for one of the vendor's library; None for an error that is not the vendor's.
    """

    def __init__(self, vendor: str, seconds: float, translate: Translate) -> None:
        self._vendor = vendor
        self._seconds = seconds
        self._translate = translate
        self._breaker = Breaker()

    @asynccontextmanager
    async def call(self, name: str, *, limited: bool = True) -> AsyncIterator[None]:
        """Around one call.

        Args:
            name: of the operation, for metrics.
            limited: whether the time limit holds; a download of unknown length has only the library's own, for each read.

        Raises:
            StorageFailed: it failed, took too long, or failed so often that it is left alone for a moment.
            HutongError: as `translate` says.
        """
        start, outcome = time.perf_counter(), "lost"
        try:
            self._breaker.check(self._vendor)
        except CircuitOpen as error:
            raise StorageFailed(retry_after=error.retry_after) from error
        try:
            async with asyncio.timeout(self._seconds if limited else None):
                yield
            outcome = "2xx"
        except TimeoutError as error:
            raise StorageFailed(f"{self._vendor} took longer than {self._seconds:g} s.", retry_after=5) from error
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "given up"
            raise
        except HutongError as error:
            outcome = _outcome(error)
            raise
        except Exception as error:
            known = self._translate(error)
            outcome = "lost" if known is None else _outcome(known)
            if known is None:
                raise
            self._report(name, known, error)
            raise known from error
        finally:
            self._breaker.record(ok=outcome not in {"lost", "5xx"})
            metrics.outbound_seconds.labels(self._vendor, name, outcome).observe(time.perf_counter() - start)

    def _report(self, name: str, known: HutongError, error: Exception) -> None:
        """The vendor's own words stay in the log: they hold request ids and bucket names, and never a secret."""
        if isinstance(known, StorageFailed | StorageFull):
            words = " ".join(str(error).split())[:500]
            _log.warning("the storage failed", vendor=self._vendor, call=name, error=words)


def _outcome(error: HutongError) -> str:
    return "5xx" if isinstance(error, StorageFailed | StorageFull) else "4xx"
