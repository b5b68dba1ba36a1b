"""Mail: templates in every language, rendered and sent by a job that the business transaction enqueues.

Kernel packages and apps call `Mail`; providers implement `Mailer`.
Its page is docs/kernel/mail.md.
"""

from hutong.kernel.mail.ports import Mailer, MailRefused, MailUnavailable, Message

__all__ = ["MailRefused", "MailUnavailable", "Mailer", "Message"]
