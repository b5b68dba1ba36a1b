"""The bucket: contents in files of random names, everything else in one table, whose row makes an object appear.

A row is written when its file is whole, and the file that it named before goes afterwards: no crash leaves half an
object. A file that no row names is left over from a crash; nobody asks for it.
"""

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Self

import crcmod

_crc64 = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, rev=True, xorOut=0xFFFFFFFFFFFFFFFF)
EMPTY_CRC = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, without its content. `headers` are those that a GET repeats, names in lower case."""

    key: str
    file: str
    size: int
    etag: str
    crc64: str
    content_type: str
    headers: Mapping[str, str]
    modified_ms: int
    link_dead: bool = False


@dataclass(slots=True)
class Arriving:
    """A content that is being written; leave the `with` to give it up. Its methods block."""

    folder: Path
    name: str = field(default_factory=lambda: secrets.token_hex(16))
    size: int = 0
    kept: bool = False
    _md5: Any = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    _crc: int = EMPTY_CRC
    _file: FileIO | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = FileIO(self.folder / self.name, "xb")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        if not self.kept:
            (self.folder / self.name).unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Add `data`."""
        assert self._file is not None
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self.size += len(data)
        self._md5.update(data)
        self._crc = _crc64(data, self._crc)

    @property
    def md5(self) -> bytes:
        return bytes(self._md5.digest())

    def stored(self, key: str, content_type: str, headers: Mapping[str, str], now_ms: int) -> Stored:
        """The object that this content becomes under `key`."""
        etag, crc = self.md5.hex().upper(), str(self._crc)
        return Stored(key, self.name, self.size, etag, crc, content_type, dict(headers), now_ms)


def keep(conn: sqlite3.Connection, new: Stored) -> str | None:
    """Make an object appear, or replace it; the answer is the file that nobody names any more."""
    row = conn.execute("SELECT file FROM objects WHERE key = ?", (new.key,)).fetchone()
    conn.execute(
        "INSERT OR REPLACE INTO objects (key, file, size, etag, crc64, content_type, headers, modified_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(new.key, new.file, new.size, new.etag, new.crc64, new.content_type),
            *(json.dumps(dict(new.headers)), new.modified_ms),
        ),
    )
    return None if row is None else str(row["file"])


def find(conn: sqlite3.Connection, key: str) -> Stored | None:
    """The object of that key."""
    row = conn.execute("SELECT * FROM objects WHERE key = ?", (key,)).fetchone()
    return None if row is None else _stored(row)


def drop(conn: sqlite3.Connection, key: str) -> str | None:
    """Take an object away; the answer is its file."""
    row = conn.execute("SELECT file FROM objects WHERE key = ?", (key,)).fetchone()
    conn.execute("DELETE FROM objects WHERE key = ?", (key,))
    return None if row is None else str(row["file"])


def behind(conn: sqlite3.Connection, prefix: str, after: str, limit: int) -> list[Stored]:
    """Objects in the order of their keys' bytes: with `prefix`, behind `after`."""
    rows = conn.execute(
        "SELECT * FROM objects WHERE key > ? AND key >= ? AND substr(key, 1, ?) = ? ORDER BY key LIMIT ?",
        (after, prefix, len(prefix), prefix, limit),
    )
    return [_stored(row) for row in rows.fetchall()]


def latest(conn: sqlite3.Connection, limit: int) -> list[Stored]:
    """The objects that were written last."""
    rows = conn.execute("SELECT * FROM objects ORDER BY modified_ms DESC, key LIMIT ?", (limit,)).fetchall()
    return [_stored(row) for row in rows]


def size_of(conn: sqlite3.Connection) -> tuple[int, int]:
    """How many objects there are, and their bytes."""
    row = conn.execute("SELECT count(*) AS objects, coalesce(sum(size), 0) AS bytes FROM objects").fetchone()
    return int(row["objects"]), int(row["bytes"])


def kill_links(conn: sqlite3.Connection, key: str) -> bool:
    """Let the links to an object answer as if their time were over; False if there is no such object."""
    return conn.execute("UPDATE objects SET link_dead = 1 WHERE key = ?", (key,)).rowcount == 1


def empty(conn: sqlite3.Connection) -> list[str]:
    """Take all objects away; the answer is their files."""
    files = [str(row["file"]) for row in conn.execute("SELECT file FROM objects").fetchall()]
    conn.execute("DELETE FROM objects")
    return files


def erase(folder: Path, files: list[str]) -> None:
    """Delete contents; blocking."""
    for name in files:
        (folder / name).unlink(missing_ok=True)


def read_at(file: FileIO, start: int, length: int) -> bytes:
    """A piece of an open content; blocking."""
    return os.pread(file.fileno(), length, start)


def _stored(row: sqlite3.Row) -> Stored:
    return Stored(
        key=row["key"],
        file=row["file"],
        size=row["size"],
        etag=row["etag"],
        crc64=row["crc64"],
        content_type=row["content_type"],
        headers=json.loads(row["headers"]),
        modified_ms=row["modified_ms"],
        link_dead=bool(row["link_dead"]),
    )
