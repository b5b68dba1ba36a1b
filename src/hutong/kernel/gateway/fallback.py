"""Asking the next of a model's routes when one fails, as long as nobody has seen a token."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from hutong.kernel.gateway.chat import ChatProvider
from hutong.kernel.gateway.errors import CallRefused, ContextTooLong, ProviderFailed
from hutong.kernel.gateway.routing import Route
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger

T = TypeVar("T")
_log = logger("gateway.chat")


async def first_answer(
    routes: Sequence[Route],
    providers: Mapping[str, ChatProvider],
    ask: Callable[[ChatProvider, str], Awaitable[T]],
    request_id: str,
) -> tuple[Route, T]:
    """The first route that answers, and its answer.

    Raises:
        ProviderFailed: none did; of the first one, whose fault it is as far as the caller is concerned.
        CallRefused: the request is wrong; the others would say the same.
        ContextTooLong: it is too long for all of them.
    """
    failures: list[ProviderFailed] = []
    window = 0
    for route in routes:
        if window and route.facts.window <= window:
            continue
        try:
            return route, await ask(providers[route.provider], route.model)
        except ContextTooLong as error:
            window = route.facts.window
            failures.append(error)
        except CallRefused as error:
            _note(route, error, request_id)
            raise
        except ProviderFailed as error:
            failures.append(error)
        _note(route, failures[-1], request_id)
    raise _worst(failures)


def _worst(failures: Sequence[ProviderFailed]) -> ProviderFailed:
    """What the caller is told: something that they can change, else what the model that they asked for said."""
    return next((error for error in failures if isinstance(error, ContextTooLong)), failures[0])


def _note(route: Route, error: ProviderFailed, request_id: str) -> None:
    metrics.openai_requests.labels(route.provider, route.model, error.code).inc()
    _log.warning(
        "a model failed",
        route=route.name,
        code=error.code,
        vendor_code=error.vendor_code,
        retry_after=error.retry_after,
        request_id=request_id,
    )
