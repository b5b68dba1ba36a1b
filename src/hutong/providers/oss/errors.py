"""OSS's error codes, as errors of the storage port. Source: Aliyun OSS error pages; only codes and statuses are matched."""

from hutong.kernel.files.errors import ObjectMissing, RangeUnsatisfiable, StorageFailed, StorageFull
from hutong.kit.errors import HutongError

FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "UserDisable"})
MISSING = frozenset({"NoSuchKey", "SymlinkTargetNotExist", "NoSuchVersion"})
BUSY = frozenset({"TooManyRequests", "QpsLimitExceeded", "ServiceBusy", "DownloadTrafficRateLimitExceeded"})


def failure_of(status: int, code: str) -> HutongError:
    """The error for a refused call. Account, bucket and clock troubles are ours, not the caller's: `StorageFailed`."""
    if code in MISSING or (status == 404 and not code.startswith("NoSuchBucket")):
        return ObjectMissing()
    if code == "InvalidRange" or status == 416:
        return RangeUnsatisfiable()
    if code in FULL or status == 507:
        return StorageFull(retry_after=60)
    wait = 2 if status in {429, 503} or code in BUSY else 5
    return StorageFailed(f"OSS answered {status} {code or 'without a code'}.", retry_after=wait)
