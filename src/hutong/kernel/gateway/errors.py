"""How a model provider can fail, by what the caller should do about it.

ProviderThrottled   wait, then ask again; nothing was accepted
ProviderDown        ask again a few times, then give up
AnswerLost          the request may have been accepted: asking again may cost a second generation
SourceUnreachable   the provider could not fetch our file: give it a fresh link
ProviderRejected    the request itself is wrong; asking again is useless
ProviderBlocked     the account is refused: stop asking, call the operator

and of chat alone:

ProviderResting     it failed so often that it is left alone: ask another one (a kind of ProviderDown)
ProviderTooSlow     no token in time: ask another one (a kind of AnswerLost)
ProviderBusy        as many calls as we allow run there (a kind of ProviderThrottled)
CallRefused         the caller's request is wrong, as the message tells (a kind of ProviderRejected)
ContextTooLong      longer than the model's window: one with a larger one may take it (a kind of CallRefused)
ModelUnknown        no such model, here or there
ModelForbidden      not for this user
ChatInterrupted     it broke off after the first token: nothing is asked again
RealCallsForbidden  a test would have reached a real provider

What the caller can change is of the tree's own kinds too, first, so that apps answer it as any other of that kind.
"""

from hutong.kit.errors import Forbidden, InvalidInput, NotFound, Unavailable, UpstreamFailed


class ProviderFailed(UpstreamFailed):
    """The model failed."""

    code = "gateway.provider_failed"

    def __init__(self, message: str | None = None, *, vendor_code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.vendor_code = vendor_code
        self.may_retry = True  # False where the provider said that asking again is useless


class ProviderThrottled(ProviderFailed):
    """The model is busy; try again shortly."""

    code = "gateway.throttled"


class ProviderDown(ProviderFailed):
    """The model does not work at present; try again shortly."""

    code = "gateway.down"


class AnswerLost(ProviderFailed):
    """The model gave no answer; try again."""

    code = "gateway.answer_lost"


class SourceUnreachable(ProviderFailed):
    """The model could not fetch the picture."""

    code = "gateway.source_unreachable"


class ProviderRejected(ProviderFailed):
    """The model refused the request."""

    code = "gateway.rejected"


class ProviderBlocked(ProviderFailed):
    """The model is not available at present."""

    code = "gateway.blocked"


class ProviderResting(ProviderDown):
    """The model does not work at present; try again shortly."""

    code = "gateway.resting"


class ProviderTooSlow(AnswerLost):
    """The model did not answer in time; try again."""

    code = "gateway.too_slow"


class ProviderBusy(ProviderThrottled):
    """The model is busy; try again shortly."""

    code = "gateway.busy"


class CallRefused(InvalidInput, ProviderRejected):
    """The model refuses this request; change it."""

    code = "gateway.call_refused"


class ContextTooLong(CallRefused):
    """The conversation is longer than this model can read; shorten it or begin a new one."""

    code = "gateway.context_too_long"


class ModelUnknown(NotFound, ProviderFailed):
    """There is no model of this name; see the list of models."""

    code = "gateway.model_unknown"


class ModelForbidden(Forbidden, ProviderFailed):
    """This model is not part of your plan; choose another one."""

    code = "gateway.model_forbidden"


class ChatInterrupted(ProviderFailed):
    """The model's answer broke off; what came until then is kept."""

    code = "gateway.interrupted"


class RealCallsForbidden(Unavailable, ProviderFailed):
    """Calls to real providers are switched off here."""

    code = "gateway.real_calls_forbidden"
