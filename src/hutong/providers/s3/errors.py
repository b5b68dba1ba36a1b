"""obstore's errors, as errors of the storage port.

The library gives a kind and a text that quotes the service's XML; its codes are looked for in there.
"""

from obstore import exceptions

from hutong.kernel.files.errors import ObjectMissing, StorageFailed, StorageFull
from hutong.kit.errors import HutongError

FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507 Insufficient Storage")
BUSY = ("SlowDown", "503 Service Unavailable", "429 Too Many Requests")


def translate(error: Exception) -> HutongError | None:
    """The port's error for one of the library; None when it is not the library's."""
    if not isinstance(error, exceptions.BaseError | OSError):
        return None
    text = str(error)
    # What is missing is Python's own FileNotFoundError.
    if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in text:
        return ObjectMissing()
    if any(word in text for word in FULL):
        return StorageFull(retry_after=60)
    wait = 2 if any(word in text for word in BUSY) else 5
    return StorageFailed(f"S3 does not work at present ({type(error).__name__}).", retry_after=wait)
