"""From a `Message` to RFC 5322: both forms of the body, and headers that keep other machines from answering."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from hutong.kernel.mail import Message


def compose(message: Message, sender: Address, now: datetime) -> EmailMessage:
    """The message as it is sent. Subjects and bodies that are not ASCII are encoded as RFC 2047 and RFC 2045 say.

    Args:
        message: to one address.
        sender: in From.
        now: in Date.

    Raises:
        ValueError: a header would hold a line break, or `to` is no address.
    """
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = recipient(message.to)
    made["Subject"] = message.subject
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{message.message_id}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices, please
    made.set_content(message.text)
    made.add_alternative(message.html, subtype="html")
    made["Content-Language"] = message.language  # set earlier, it would have gone into the first form
    return made


def recipient(text: str) -> Address:
    """An address whose domain is written in ASCII (RFC 5891), as a server without SMTPUTF8 wants it.

    Raises:
        ValueError: it is none.
    """
    user, _, domain = text.rpartition("@")
    if not user or not domain:
        raise ValueError("an address has a name and a domain")
    return Address(username=user, domain=domain.encode("idna").decode())
