"""The entries of a stream's log, and how some of them in a row become the bytes that the store keeps and channels carry."""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

_HEAD = Struct(">BBQ")
_ENTRY = Struct(">BI")
FORMAT = 1
LAST = 1


class Entry(NamedTuple):
    """One entry of a log.

    Args:
        seq: its number; the first is 1, and none is left out.
        kind: what it is, in the writer's words.
        payload: its content.
        last: nothing comes after it.
    """

    seq: int
    kind: str
    payload: bytes
    last: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes, roughly."""
        return len(self.payload) + len(self.kind) + 64


def pack(entries: Sequence[Entry]) -> bytes:
    """Entries that follow each other, as bytes."""
    parts = [_HEAD.pack(FORMAT, LAST if entries[-1].last else 0, entries[0].seq)]
    for entry in entries:
        kind = entry.kind.encode()
        parts += _ENTRY.pack(len(kind), len(entry.payload)), kind, entry.payload
    return b"".join(parts)


def unpack(packed: bytes) -> list[Entry]:
    """The entries in `pack`'s bytes.

    Raises:
        ValueError: these are not such bytes.
    """
    try:
        form, flags, seq = _HEAD.unpack_from(packed)
        at, entries = _HEAD.size, []
        while at < len(packed):
            name, length = _ENTRY.unpack_from(packed, at)
            at += _ENTRY.size
            kind, payload = packed[at : at + name], packed[at + name : at + name + length]
            at += name + length
            entries.append(Entry(seq, kind.decode(), payload, bool(flags) and at >= len(packed)))
            seq += 1
    except Exception as error:
        raise ValueError("no entries of a stream") from error
    if form != FORMAT or at != len(packed):
        raise ValueError("no entries of a stream")
    return entries
