"""What a failed conversation means. Source: RFC 5321 §4.2.1 (4yz: try again, 5yz: never), RFC 3463."""

import re
import ssl
from typing import NoReturn

from aiosmtplib import SMTPException, SMTPNotSupported, SMTPRecipientsRefused, SMTPResponseException

from hutong.kernel.mail import MailRefused, MailUnavailable
from hutong.kit.text import shorten

FAILURES = (SMTPException, OSError, TimeoutError)
"""What a conversation may raise; TLS failures are among OSError."""
_LONGEST = 200
_ADDRESS = re.compile(r"\S+@\S+")
_NUMBER = re.compile(r"(?<![.\d])\d{4,}")


def unreachable(error: Exception) -> NoReturn:
    """Raise for a failure before a mail was offered: connection, TLS, greeting, sign-in. It is never the mail's fault."""
    raise MailUnavailable(f"the mail server cannot be used: {_reason(error)}") from error


def failed(error: Exception) -> NoReturn:
    """Raise for a failure while a mail was offered.

    Raises:
        MailRefused: the server said 5yz, or cannot take such an address.
        MailUnavailable: anything else.
    """
    if isinstance(error, SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    final = isinstance(error, SMTPResponseException) and error.code >= 500
    if final or isinstance(error, SMTPNotSupported | ValueError):
        raise MailRefused(f"the mail server refused the mail: {_reason(error)}") from None
    raise MailUnavailable(f"the mail was not taken: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What happened, without the address and the numbers that servers like to repeat: it goes into logs and dead letters."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {_scrubbed(str(error.message))}"
    return f"{type(error).__name__} {_scrubbed(str(error))}".strip()


def _scrubbed(text: str) -> str:
    plain = _NUMBER.sub("…", _ADDRESS.sub("<address>", " ".join(text.split())))
    return shorten(plain, _LONGEST)
