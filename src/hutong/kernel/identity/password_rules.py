"""What may be a password. It is taken exactly as typed: no trimming, no normalising, no folding, no truncation.

Source: OWASP ASVS 5.0 §6.2; NIST SP 800-63B §3.1.1.2. `common_passwords.txt` holds what is tried first by whoever guesses:
folded, sorted, one a line, nothing shorter than 8 characters (NOTICE names where it comes from).
"""

from functools import cache
from pathlib import Path

from hutong.kernel.identity.errors import PasswordCommon, PasswordInvalid, PasswordTooLong, PasswordTooShort
from hutong.kit.text import is_clean

SHORTEST = 8
"""Characters."""
LONGEST = 256
"""Bytes in UTF-8."""
FEWEST_DIFFERENT = 3
"""Characters, of which `aaaaaaaa` and `abababab` have too few."""


def check_typed(password: str) -> None:
    """Refuse what cannot be anybody's password, before any work is done for it.

    Raises:
        PasswordTooLong, PasswordInvalid.
    """
    if len(password) > LONGEST:
        raise PasswordTooLong
    if not is_clean(password):
        raise PasswordInvalid
    if len(password.encode()) > LONGEST:
        raise PasswordTooLong


def check_new(password: str, email: str) -> None:
    """Refuse what must not become the password of the account with this (normalised) address.

    Raises:
        PasswordTooLong, PasswordInvalid, PasswordTooShort, PasswordCommon.
    """
    check_typed(password)
    if len(password) < SHORTEST:
        raise PasswordTooShort
    folded = password.casefold()
    if len(set(folded)) < FEWEST_DIFFERENT or folded in {email, *email.split("@")} or is_common(folded):
        raise PasswordCommon


def is_common(folded: str) -> bool:
    """Whether the list has this password; upper and lower case are the same to it."""
    if "\n" in folded or not folded.isascii():
        return False
    return f"\n{folded}\n".encode() in _common()


@cache
def _common() -> bytes:
    """The list as it lies on disk, 0.2 MB: searching it takes less than a hundredth of a hash, and no table is built."""
    return b"\n" + Path(__file__).with_name("common_passwords.txt").read_bytes()
