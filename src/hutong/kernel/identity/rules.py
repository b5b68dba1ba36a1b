"""Pure decisions about identity."""

import unicodedata

from hutong.kernel.identity.errors import DeviceIdInvalid, NicknameInvalid
from hutong.kit.text import is_printable

SHORTEST_DEVICE_ID = 8
LONGEST_DEVICE_ID = 128
LONGEST_NICKNAME = 64


def normalise_device_id(text: str) -> str:
    """The form in which a device id is kept: trimmed, NFKC.

    Raises:
        DeviceIdInvalid: too short, too long or not printable; the id itself is never echoed.
    """
    device_id = unicodedata.normalize("NFKC", text).strip() if is_printable(text) else ""
    if not SHORTEST_DEVICE_ID <= len(device_id) <= LONGEST_DEVICE_ID:
        raise DeviceIdInvalid
    return device_id


def normalise_nickname(text: str) -> str:
    """The form in which a nickname is kept: NFC, without blanks around it.

    Raises:
        NicknameInvalid: empty, too long or not printable.
    """
    nickname = unicodedata.normalize("NFC", text).strip() if is_printable(text) else ""
    if not 1 <= len(nickname) <= LONGEST_NICKNAME:
        raise NicknameInvalid
    return nickname


def default_nickname(user_id: int) -> str:
    """What a new user is called until they choose: the last digits of the id tell nothing about anybody."""
    return f"User{user_id % 1_000_000:06d}"
