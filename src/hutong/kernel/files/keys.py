"""Object keys: their grammar, and the content type that follows from their extension.

A key is `folder/folder/name.ext`, at most 200 characters of `a-z 0-9 _ - / .`. Folders have no dot and names have
one, so no key is ever a folder of another and none holds `..`, on a disk as in a bucket. Keys are made by the server,
never from a file name; lower case keeps them apart on file systems that ignore case.
"""

import re
from collections.abc import Sequence
from types import MappingProxyType

from hutong.kernel.files.errors import KeyInvalid

MAX_KEY = 200
BYTES = "application/octet-stream"
_KEY = re.compile(r"(?:[a-z0-9_-]+/)*[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")

# Neither HTML, SVG nor scripts: what is not listed is stored as bytes and only ever downloaded.
CONTENT_TYPES = MappingProxyType(
    {
        "jpg": "image/jpeg",
        "jpeg": "image/jpeg",
        "png": "image/png",
        "webp": "image/webp",
        "bmp": "image/bmp",
        "gif": "image/gif",
        "mp4": "video/mp4",
        "webm": "video/webm",
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "pdf": "application/pdf",
        "json": "application/json",
        "csv": "text/csv",
        "txt": "text/plain",
        "zip": "application/zip",
        "gz": "application/gzip",
    }
)
# What an upload can be told from by its first bytes (`headers.sniff`), and so what a form may allow.
VERIFIABLE = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "video/mp4", CONTENT_TYPES["pdf"]}
)


def check_key(key: str) -> str:
    """`key` itself.

    Raises:
        KeyInvalid: it does not follow the grammar above.
    """
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        raise KeyInvalid
    return key


def content_type_of(key: str) -> str:
    """The type under which the object is stored and served: that of its extension, else plain bytes.

    A map instead of a second file beside the object: the rename that makes an object appear stays its only commit
    point, and no crash can part an object from its type.
    """
    return CONTENT_TYPES.get(key.rpartition(".")[2], BYTES)


def check_type(key: str, content_type: str) -> None:
    """That an object of `content_type` may be stored under `key`.

    Raises:
        KeyInvalid: the key, or its extension says something else.
    """
    expected = content_type_of(check_key(key))
    if content_type != expected:
        raise KeyInvalid(f"a key with this extension holds {expected}, not {content_type}")


def check_upload_types(key: str, content_types: Sequence[str]) -> tuple[str, ...]:
    """The types that an upload form for `key` allows: that of the extension, or any verifiable ones under `….bin`.

    Raises:
        KeyInvalid: none given, one that the first bytes don't tell, or one that contradicts the extension.
    """
    expected = content_type_of(check_key(key))
    allowed = tuple(dict.fromkeys(content_types))
    if not allowed or not VERIFIABLE.issuperset(allowed):
        raise KeyInvalid(f"an upload form allows one or more of {', '.join(sorted(VERIFIABLE))}")
    if expected != BYTES and allowed != (expected,):
        raise KeyInvalid(f"an upload form for this extension allows {expected} only")
    return allowed
