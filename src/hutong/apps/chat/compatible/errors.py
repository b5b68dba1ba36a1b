"""What can go wrong under `/v1` beside what the kernel knows."""

from hutong.kit.errors import InvalidInput, NotFound


class ParameterInvalid(InvalidInput):
    """A parameter of the request is not valid."""

    code = "compatible.parameter_invalid"

    def __init__(self, parameter: str, problem: str) -> None:
        """Name the parameter as in `messages[0].role`, and say in a sentence what is wrong with it."""
        super().__init__(problem)
        self.parameter = parameter


class BodyUnreadable(InvalidInput):
    """The body is not a JSON object; send one with Content-Type: application/json."""

    code = "compatible.body_unreadable"


class ResponseUnknown(NotFound):
    """There is no such response; it was never stored, or was deleted."""

    code = "compatible.response_unknown"


class PreviousUnknown(InvalidInput):
    """There is no response with the id in previous_response_id."""

    code = "compatible.previous_unknown"


class PreviousRunning(InvalidInput):
    """The response in previous_response_id has not ended yet; wait for it first."""

    code = "compatible.previous_running"


class NotBackground(InvalidInput):
    """Only responses that were made with background=true can be cancelled."""

    code = "compatible.not_background"


class EventsGone(InvalidInput):
    """The events of this response are kept no longer; get it without stream=true."""

    code = "compatible.events_gone"
