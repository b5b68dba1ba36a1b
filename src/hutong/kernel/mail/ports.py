"""What mail asks of a provider: `Mailer` sends one message. Source: RFC 5321, RFC 5322."""

from dataclasses import dataclass
from typing import Protocol

from hutong.kit.errors import Unavailable, UpstreamFailed


class MailUnavailable(Unavailable):
    """The mail server does not answer at present; the message is tried again."""

    code = "mail.unavailable"


class MailRefused(UpstreamFailed):
    """The mail server refused the message for good."""

    code = "mail.refused"


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one address, as text and as HTML.

    Args:
        message_id: without angle brackets; the same for every try, so that a receiver can tell a second copy.
        to: the address.
        subject: without line breaks.
        text, html: the two forms of the body.
        language: of the body, as in `zh-CN`.
    """

    message_id: str
    to: str
    subject: str
    text: str
    html: str
    language: str


class Mailer(Protocol):
    """One way of sending mail."""

    async def send(self, message: Message) -> None:
        """Hand the message over; returns when the server has taken responsibility for it.

        Raises:
            MailUnavailable: try again later.
            MailRefused: it will never be taken.
        """
        ...

    async def ping(self) -> None:
        """Whether the server answers.

        Raises:
            MailUnavailable.
        """
        ...
