"""What stands in a mail: its headers, its two forms, and the code in it."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

_CODE = re.compile(r"(?<![\w.-])\d{6}(?![\w.-])")


@dataclass(frozen=True, slots=True)
class Contents:
    """A mail, read."""

    sender: str
    subject: str
    message_id: str
    text: str
    html: str

    @property
    def code(self) -> str | None:
        """The first number of six digits in the text form."""
        found = _CODE.search(self.text)
        return found[0] if found else None


def read(source: bytes) -> Contents:
    """The contents of a mail; what is not there is empty."""
    mail = message_from_bytes(source, policy=default)
    assert isinstance(mail, EmailMessage)
    return Contents(
        str(mail.get("From", "")),
        str(mail.get("Subject", "")),
        str(mail.get("Message-ID", "")).strip("<> \r\n"),
        _form(mail, "plain"),
        _form(mail, "html"),
    )


def _form(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):  # an unknown charset or a broken encoding
        body = part.get_payload(decode=True)
        return body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
