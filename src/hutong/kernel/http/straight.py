"""Endpoints that take nothing from a request but who calls it: called without FastAPI's resolver, which has nothing to do there.

It costs 25 µs for each such request, a tenth of the fastest ones.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant

Handler = Callable[[Request], Awaitable[Response]]


def straight(dependant: Dependant) -> Handler | None:
    """What answers a request, or None where there is something to resolve, validate or serialise.

    Such an endpoint is a coroutine that returns a `Response`, and each of its parameters is what a coroutine makes of the
    request alone. `app.dependency_overrides` does not reach it.
    """
    endpoint = dependant.call
    if endpoint is None or not _asks_nobody(dependant) or inspect.signature(endpoint).return_annotation is not Response:
        return None
    made = {one.name: one.call for one in dependant.dependencies if one.name and one.call and _asks_request(one)}
    if len(made) != len(dependant.dependencies) or not inspect.iscoroutinefunction(endpoint):
        return None
    return _handler(endpoint, made, dependant.request_param_name)


def _handler(endpoint: Callable[..., Any], made: Mapping[str, Callable[..., Any]], request_name: str | None) -> Handler:
    async def answer(request: Request) -> Response:
        values = {name: await make(request) for name, make in made.items()}
        if request_name is not None:
            values[request_name] = request
        response: Response = await endpoint(**values)
        return response

    return answer


def _asks_nobody(dependant: Dependant) -> bool:
    """Whether it takes no part of the request and nothing that the framework makes."""
    parts = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    special = (
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    return not any(parts) and not dependant.body_params and not any(special)


def _asks_request(dependant: Dependant) -> bool:
    """Whether it is a coroutine of one argument, the request."""
    call = dependant.call
    own = call if inspect.isfunction(call) else getattr(call, "__call__", None)  # noqa: B004 - the method, not whether
    alone = not dependant.dependencies and _asks_nobody(dependant) and dependant.request_param_name is not None
    return alone and inspect.iscoroutinefunction(own)
