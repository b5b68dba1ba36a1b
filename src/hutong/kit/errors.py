"""The root of the one error tree. Every expected failure is a subclass with a stable dotted code and an HTTP status.

HutongError                       500 internal
├── InvalidInput                  400 input.invalid
├── Unauthenticated               401 auth.required
├── PaymentRequired               402 payment.required
├── Forbidden                     403 auth.forbidden
├── NotFound                      404 resource.not_found
├── Conflict                      409 resource.conflict
├── TooLarge                      413 input.too_large
├── Unprocessable                 422 input.unprocessable
├── TooManyRequests               429 limit.exceeded      (carries retry_after)
├── UpstreamFailed                502 upstream.failed
└── Unavailable                   503 service.unavailable (carries retry_after)

Packages refine these in their own `errors.py`; an app's `envelope.py` maps codes to the bodies of its contract.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class HutongError(Exception):
    """An expected failure.

    Args:
        message: English sentence that says what to do; the class docstring's first line when left out.
        details: JSON-ready facts for the client, never secrets.
        retry_after: seconds after which another try makes sense.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    headers: Mapping[str, str] = MappingProxyType({})
    """What an answer with this error carries beside `Retry-After`."""

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or self.code).strip().splitlines()[0]
        self.details = dict(details) if details else None
        self.retry_after = retry_after
        super().__init__(self.message)


class InvalidInput(HutongError):
    """The request is not valid."""

    code = "input.invalid"
    status = 400


class Unauthenticated(HutongError):
    """Sign in first."""

    code = "auth.required"
    status = 401


class PaymentRequired(HutongError):
    """Not enough balance."""

    code = "payment.required"
    status = 402


class Forbidden(HutongError):
    """You may not do this."""

    code = "auth.forbidden"
    status = 403


class NotFound(HutongError):
    """There is no such thing here."""

    code = "resource.not_found"
    status = 404


class Conflict(HutongError):
    """The thing's present state does not allow this."""

    code = "resource.conflict"
    status = 409


class TooLarge(HutongError):
    """The request is too large."""

    code = "input.too_large"
    status = 413


class Unprocessable(HutongError):
    """The request is well formed but cannot be carried out."""

    code = "input.unprocessable"
    status = 422


class TooManyRequests(HutongError):
    """Too many requests; slow down."""

    code = "limit.exceeded"
    status = 429


class UpstreamFailed(HutongError):
    """A service that this one depends on failed."""

    code = "upstream.failed"
    status = 502


class Unavailable(HutongError):
    """The service is not ready; try again shortly."""

    code = "service.unavailable"
    status = 503


def error_classes() -> Iterator[type[HutongError]]:
    """Every class of the tree that is imported at present, once, root first (for the tests that prove the mapping)."""
    stack: list[type[HutongError]] = [HutongError]
    seen: set[type[HutongError]] = set()
    while stack:
        cls = stack.pop()
        if cls not in seen:
            seen.add(cls)
            yield cls
            stack.extend(cls.__subclasses__())
