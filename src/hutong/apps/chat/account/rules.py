"""What a username is, and when two are the same."""

import re
import unicodedata

from hutong.apps.chat.rows.errors import UsernameInvalid
from hutong.apps.chat.rows.tables import LONGEST_USERNAME

SHORTEST = 3
_NAME = re.compile(r"[^\W_][\w.-]*")


def normalise_username(text: str) -> str:
    """The form in which a username is shown: NFKC, without blanks around it. Letters and digits of every script, and `._-`.

    Raises:
        UsernameInvalid: too short, too long, or of other characters.
    """
    name = unicodedata.normalize("NFKC", text[: LONGEST_USERNAME * 4]).strip()
    key = username_key(name)
    if not (len(name) >= SHORTEST and max(len(name), len(key)) <= LONGEST_USERNAME) or _NAME.fullmatch(name) is None:
        raise UsernameInvalid
    return name


def username_key(name: str) -> str:
    """The form in which two usernames are the same."""
    return unicodedata.normalize("NFKC", name.strip().casefold())
