"""Public ids: UUIDs of version 7, so that rows of one time lie together in an index. Source: RFC 9562 §5.7."""

import secrets
import uuid
from datetime import datetime


def new_uuid(now: datetime) -> str:
    """A fresh id; nobody can guess it, but it tells the millisecond it was made in."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    random = secrets.randbits(74)
    number = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return str(uuid.UUID(int=number))


def parse_uuid(text: str) -> str | None:
    """The id that `text` spells in its usual form (lower case, with hyphens), or None."""
    try:
        spelled = str(uuid.UUID(text))
    except ValueError:
        return None
    return spelled if spelled == text else None
