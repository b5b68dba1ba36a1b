"""Pure decisions about conversations: titles, what to search for, where a list goes on."""

import base64
import unicodedata
from datetime import UTC, datetime, timedelta

import orjson

from hutong.apps.chat.rows.errors import CursorInvalid, TitleInvalid
from hutong.apps.chat.rows.ids import parse_uuid
from hutong.apps.chat.rows.tables import LONGEST_TITLE
from hutong.kit.text import is_printable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = 4_000_000_000_000_000
"""Microseconds since 1970: no moment of ours is later."""
MOST_WORDS = 8
LONGEST_CURSOR = 128


def normalise_title(text: str) -> str:
    """The form in which a title is kept: NFC, on one line, without blanks around it.

    Raises:
        TitleInvalid: too long, or with characters that are not printable.
    """
    title = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(title) > LONGEST_TITLE or not is_printable(title):
        raise TitleInvalid
    return title


def words_of(text: str) -> tuple[str, ...]:
    """What a search looks for: each word once, at most eight."""
    return tuple(dict.fromkeys(text.split()))[:MOST_WORDS]


def cursor_of(moment: datetime, row_id: str) -> str:
    """Where a list goes on, for clients to hand back."""
    place = orjson.dumps([(moment - EPOCH) // MICROSECOND, row_id])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def place_of(cursor: str) -> tuple[datetime, str]:
    """The moment and the id in a cursor.

    Raises:
        CursorInvalid: `cursor_of` never made it.
    """
    try:
        moment, row_id = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, TypeError) as error:
        raise CursorInvalid from error
    known = isinstance(row_id, str) and parse_uuid(row_id) is not None
    if not known or type(moment) is not int or not 0 <= moment <= LATEST:
        raise CursorInvalid
    return EPOCH + moment * MICROSECOND, row_id
