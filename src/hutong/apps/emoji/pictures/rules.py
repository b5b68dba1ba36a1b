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


def owner_and_picture(key: str) -> tuple[int, int] | None:
    """The ids of user and picture that `key` names; None for a key of anything else."""
    hit = _KEY.fullmatch(key)
    user_id, picture_id = (parse_id(hit[1]), parse_id(hit[2])) if hit else (None, None)
    return None if user_id is None or picture_id is None else (user_id, picture_id)


def picture_of(key: str, user_id: int) -> int | None:
    """The id of the picture that `key` names, if it is this user's."""
    found = owner_and_picture(key)
    return found[1] if found is not None and found[0] == user_id else None


def is_incoming(key: str) -> bool:
    """Whether `key` is one that a client wrote by itself."""
    return key.startswith(INCOMING)
