"""The page's files, read once, with what a browser needs to know of each."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Args:
        content: its bytes.
        packed: the same for a browser that takes gzip.
        kind: its media type.
        tag: names this content, for `If-None-Match`. Source: RFC 9110 §8.8.3.
    """

    content: bytes
    packed: bytes
    kind: str
    tag: str


@lru_cache(maxsize=1)
def page_assets() -> Mapping[str, Asset]:
    """Every file of the page by its path below `static/`. They change with the package only."""
    return {path: _asset(path, found.read_bytes()) for path, found in _below(files(__package__) / "static", "")}


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _below(entry, f"{path}/")
        elif path.rpartition(".")[2] in KINDS:
            found.append((path, entry))
    return found


def _asset(path: str, content: bytes) -> Asset:
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:24]}"'
    return Asset(content, gzip.compress(content, mtime=0), KINDS[path.rpartition(".")[2]], tag)
