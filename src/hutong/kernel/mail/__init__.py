"""Mail: templates in every language, rendered and sent by a job that the business transaction enqueues.

Kernel packages and apps call `Mail`; providers implement `Mailer`.
Its page is docs/kernel/mail.md.
"""

from hutong.kernel.mail.catalogue import PURPOSES, TEMPLATES
from hutong.kernel.mail.errors import MailAddressRefused, MailOutdated
from hutong.kernel.mail.pace import Pace
from hutong.kernel.mail.ports import Mailer, MailRefused, MailUnavailable, Message
from hutong.kernel.mail.rendering import Templates
from hutong.kernel.mail.service import Mail
from hutong.kernel.mail.words import amount_text, moment_text

__all__ = [
    "PURPOSES",
    "TEMPLATES",
    "Mail",
    "MailAddressRefused",
    "MailOutdated",
    "MailRefused",
    "MailUnavailable",
    "Mailer",
    "Message",
    "Pace",
    "Templates",
    "amount_text",
    "moment_text",
]
