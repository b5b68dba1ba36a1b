"""The one rule of what an e-mail address is and when two are the same account.

An ASCII local part, lower case; a domain in its IDNA form, so that a look-alike letter makes another domain and not another
spelling; `+tag` kept, because only the receiver's server knows what it means. Source: RFC 5321 §4.1.2, RFC 5891, UTS 46.
"""

import re

import idna

from hutong.kernel.identity.errors import EmailInvalid

LONGEST = 254
LONGEST_LOCAL = 64
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def normalise_email(text: str) -> str:
    """The form in which an address is kept, compared, counted and written to; blanks around it are dropped.

    Raises:
        EmailInvalid: no mail can be sent there; the text itself is never echoed.
    """
    local, at, domain = text[: LONGEST * 2].strip(" ").rpartition("@")
    local = local.lower()
    if not at or len(local) > LONGEST_LOCAL or _LOCAL.fullmatch(local) is None:
        raise EmailInvalid
    email = f"{local}@{_ascii_domain(domain)}"
    if len(email) > LONGEST or len(text) > LONGEST * 2:
        raise EmailInvalid
    return email


def _ascii_domain(domain: str) -> str:
    """The domain as DNS knows it. A final dot is refused: mail servers do not agree on it."""
    try:
        name = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except UnicodeError as error:  # idna's own errors are of this kind
        raise EmailInvalid from error
    if _DOMAIN.fullmatch(name) is None:
        raise EmailInvalid
    return name
