"""Pure decisions about identity."""

import unicodedata

from hutong.kernel.identity.errors import DeviceIdInvalid
from hutong.kit.text import is_printable

SHORTEST_DEVICE_ID = 8
LONGEST_DEVICE_ID = 128


def normalise_device_id(text: str) -> str:
    """The form in which a device id is kept: trimmed, NFKC.

    Raises:
        DeviceIdInvalid: too short, too long or not printable; the id itself is never echoed.
    """
    device_id = unicodedata.normalize("NFKC", text).strip() if is_printable(text) else ""
    if not SHORTEST_DEVICE_ID <= len(device_id) <= LONGEST_DEVICE_ID:
        raise DeviceIdInvalid
    return device_id


def default_nickname(user_id: int) -> str:
    """What a new user is called until they choose: the last digits of the id tell nothing about anybody."""
    return f"User{user_id % 1_000_000:06d}"
