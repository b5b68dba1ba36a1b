"""Why a mail is not enqueued, or no longer sent."""

from hutong.kit.errors import HutongError, InvalidInput


class MailAddressRefused(InvalidInput):
    """That is no e-mail address."""

    code = "mail.address_refused"


class MailOutdated(HutongError):
    """A mail was not sent in the time in which it was worth anything."""

    code = "mail.outdated"
