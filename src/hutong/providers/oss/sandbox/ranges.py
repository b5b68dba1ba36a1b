"""What part of an object a GET asks for, as OSS reads it."""

import re
from dataclasses import dataclass

from hutong.providers.oss.sandbox.answers import OssRefusal

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` (excluded), and whether they are answered as a part."""

    start: int
    end: int
    partial: bool


def part_of(asked: str | None, size: int, *, standard: bool) -> Part:
    """The part that a `Range` names; the whole object for one that OSS does not understand.

    An impossible range is the whole object too, unless the request says `x-oss-range-behavior: standard`.

    Raises:
        OssRefusal: InvalidRange.
    """
    whole = Part(0, size, partial=False)
    found = _RANGE.fullmatch(asked or "")
    if found is None or found.groups() == ("", ""):
        return whole
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start < end:
        # Without `standard`, a range that reaches behind the end is impossible too.
        reaches = bool(first and last) and int(last) >= size
        return whole if reaches and not standard else Part(start, end, partial=True)
    if not standard:
        return whole
    raise OssRefusal("InvalidRange", facts={"ActualObjectSize": str(size), "RangeStart": str(start)})
