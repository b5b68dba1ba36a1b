"""Pure decisions about pictures: where they lie and whose they are."""

import re
from collections.abc import Mapping

from hutong.kit.ids import parse_id

EXTENSIONS: Mapping[str, str] = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp", "image/webp": "webp"}
INCOMING, UPLOADS = "incoming/", "uploads/"
_KEY = re.compile(r"(?:incoming|uploads)/(\d{1,19})/(\d{1,19})\.(?:jpg|png|bmp|webp)")


def incoming_key(user_id: int, picture_id: int, content_type: str) -> str:
    """Where a client may upload a picture directly; nothing there has been looked at."""
    return f"{INCOMING}{user_id}/{picture_id}.{EXTENSIONS[content_type]}"


def stored_key(user_id: int, picture_id: int) -> str:
    """Where a picture lies that was checked and re-encoded."""
    return f"{UPLOADS}{user_id}/{picture_id}.jpg"


def named_picture(key: str) -> int | None:
    """The id of the picture that `key` names, whoever's it is; None for a key of anything else."""
    hit = _KEY.fullmatch(key)
    return parse_id(hit[2]) if hit else None


def picture_of(key: str, user_id: int) -> int | None:
    """The id of the picture that `key` names, if it is this user's."""
    hit = _KEY.fullmatch(key)
    return parse_id(hit[2]) if hit and parse_id(hit[1]) == user_id else None


def is_incoming(key: str) -> bool:
    """Whether `key` is one that a client wrote by itself."""
    return key.startswith(INCOMING)
