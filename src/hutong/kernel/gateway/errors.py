"""How a model provider can fail, by what the caller should do about it.

ProviderThrottled   wait, then ask again; nothing was accepted
ProviderDown        ask again a few times, then give up
AnswerLost          the request may have been accepted: asking again may cost a second generation
SourceUnreachable   the provider could not fetch our file: give it a fresh link
ProviderRejected    the request itself is wrong; asking again is useless
ProviderBlocked     the account is refused: stop asking, call the operator
"""

from hutong.kit.errors import UpstreamFailed


class ProviderFailed(UpstreamFailed):
    """The image service failed."""

    code = "gateway.provider_failed"

    def __init__(self, message: str | None = None, *, vendor_code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.vendor_code = vendor_code


class ProviderThrottled(ProviderFailed):
    """The image service is busy; try again shortly."""

    code = "gateway.throttled"


class ProviderDown(ProviderFailed):
    """The image service does not work at present; try again shortly."""

    code = "gateway.down"


class AnswerLost(ProviderFailed):
    """The image service gave no answer."""

    code = "gateway.answer_lost"


class SourceUnreachable(ProviderFailed):
    """The image service could not fetch the picture."""

    code = "gateway.source_unreachable"


class ProviderRejected(ProviderFailed):
    """The image service refused the request."""

    code = "gateway.rejected"


class ProviderBlocked(ProviderFailed):
    """The image service refuses this account."""

    code = "gateway.blocked"


class ChatInterrupted(ProviderFailed):
    """The model's answer broke off; what came until then is kept."""

    code = "gateway.interrupted"


class ContextTooLong(ProviderRejected):
    """The conversation is longer than this model can read."""

    code = "gateway.context_too_long"


class ModelUnknown(ProviderFailed):
    """There is no model of this name."""

    code = "gateway.model_unknown"
    status = 404
