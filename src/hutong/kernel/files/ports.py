"""The port: what Hutong asks of an object storage. Its shape is what OSS and S3 can do as well as a local folder."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

# The most that OSS and S3 allow for a presigned URL or a POST policy.
MAX_LINK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an object without reading it: bytes, type, time of its last write, a tag of its content."""

    size: int
    content_type: str
    modified_at: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """An open object: its facts, and the bytes `start` (included) to `end` (excluded) in chunks, to be read once."""

    facts: ObjectFacts
    start: int
    end: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class OwnLink:
    """A link that this storage signed, and whether its time is over."""

    key: str
    expired: bool


@dataclass(frozen=True, slots=True)
class UploadForm:
    """How a client uploads one object by itself: multipart/form-data to `url` with `fields`, then the file, last.

    Where a form allows several types, the client adds a field `Content-Type` of its choice before the file.
    """

    url: str
    method: str
    fields: Mapping[str, str]
    file_field: str
    expires_at: datetime


class Storage(Protocol):
    """A bucket.

    Keys follow `keys.check_key`, content types `keys.content_type_of`; anything else raises `KeyInvalid`. Every call
    may raise `StorageFailed`, every write `StorageFull`; a write that failed left nothing half-written.
    """

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object, whole or not at all; replaces the one that was there."""
        ...

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """As `put`, with the content of a local file, which stays where it is."""
        ...

    async def get(self, key: str) -> bytes:
        """The whole object; for small ones.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    def open(self, key: str, start: int = 0, end: int | None = None) -> AbstractAsyncContextManager[ObjectReader]:
        """The bytes `start` to `end` (excluded; the object's end at most), a chunk at a time.

        Raises:
            ObjectMissing: there is none.
            RangeUnsatisfiable: no byte of it lies in the range (an empty object may be read from 0).
        """
        ...

    async def head(self, key: str) -> ObjectFacts:
        """The object's facts.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    async def remove(self, key: str) -> bool:
        """Delete an object; False if there was none."""
        ...

    async def list(self, prefix: str, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """At most `limit` keys that begin with `prefix`, in order, those behind `after` only."""
        ...

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """A URL that anybody may GET for `seconds` (at most a week); whether the object exists is not asked.

        Args:
            filename: makes it a download of that name; without it, pictures and videos show in the browser.
        """
        ...

    def key_of(self, url: str) -> OwnLink | None:
        """The link behind a URL that `link` made, expired or not; None for every other URL.

        An expired one still names its object (a client may hold a link for longer than it lives), so the caller
        decides: it says whose object is meant, not that the holder may still read it.
        """
        ...

    def upload_form(self, key: str, *, content_types: Sequence[str], max_bytes: int, seconds: int) -> UploadForm:
        """A form with which a client stores exactly this key, of one of these types and 1 to `max_bytes` long.

        The form may be used again until it expires, and then replaces the object: never trust an uploaded object
        that was checked before; keep the checked copy under another key.
        """
        ...

    async def ping(self) -> None:
        """Return if the storage is well; one cheap call.

        Raises:
            StorageFailed.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; the storage cannot be used again."""
        ...
