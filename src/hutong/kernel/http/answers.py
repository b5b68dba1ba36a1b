"""How errors leave an app: whatever the framework refuses becomes an error of the tree, and the app gives it a body.

An app has one function from an error to status, headers and body (`ErrorRenderer`); `install` makes all errors go through it,
and the edge uses it for what fails before the app is reached.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from hutong.kernel.http.methods import allowed_methods
from hutong.kernel.http.strict import FieldProblem, FieldsInvalid
from hutong.kit.errors import HutongError, InvalidInput, NotFound, TooLarge
from hutong.kit.text import shorten

Parts = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body of an answer."""
ErrorRenderer = Callable[[HutongError, Scope], Parts]
R = TypeVar("R")
JSON = "application/json"


class PathUnknown(NotFound):
    """There is nothing at this path."""

    code = "http.path_unknown"


class MethodUnknown(HutongError):
    """This path does not take that method."""

    code = "http.method_unknown"
    status = 405


def unexpected() -> HutongError:
    """What a client is told of a defect: nothing."""
    return HutongError("Something went wrong on our side.")


def row_of(error: HutongError | type[HutongError], table: Mapping[str, R]) -> R | None:
    """An app's row for an error: that of its class, or of the nearest parent that has one.

    Args:
        error: or its class.
        table: rows by dotted code.
    """
    cls = error if isinstance(error, type) else type(error)
    for one in cls.__mro__:
        found = table.get(one.__dict__.get("code", ""))
        if found is not None:
            return found
    return None


def install(app: FastAPI, render: ErrorRenderer) -> None:
    """Make every error of `app` leave in the form that `render` gives it."""

    async def on_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HutongError)
        return answer(render(error, request.scope))

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(render(fields_of(error), request.scope))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = answer(render(_of_router(error), request.scope))
        if error.status_code == 405:
            own = (error.headers or {}).get("Allow", "")  # of a mounted folder, or of the first route that fits
            response.headers["Allow"] = allowed_methods(request.app.routes, request.scope) or own
        return response

    async def on_defect(request: Request, error: Exception) -> Response:
        """The edge logs it, for it is raised on after this answer; its text is for nobody else."""
        return answer(render(unexpected(), request.scope))

    app.add_exception_handler(HutongError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_defect)


def answer(parts: Parts) -> Response:
    """A response of exactly these headers, and the length of the body."""
    status, headers, body = parts
    response = Response(body, status)
    response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return response


LONGEST_PATH = 128
"""Characters of a field's name in an answer: an unknown one is as long as whoever sent it likes."""


def fields_of(error: RequestValidationError) -> FieldsInvalid:
    """The fields and what is wrong with them, never what was sent."""
    return FieldsInvalid([_problem(item) for item in error.errors()] or [FieldProblem("body", "missing", "is missing")])


def _problem(item: Mapping[str, Any]) -> FieldProblem:
    field = shorten(".".join(map(str, item["loc"][1:])), LONGEST_PATH) or "body"
    context = {name: value for name, value in (item.get("ctx") or {}).items() if isinstance(value, (int, float, str))}
    return FieldProblem(field, item["type"], item["msg"].removeprefix("Value error, "), context)


def _of_router(error: HTTPException) -> HutongError:
    """What the router itself refuses: unknown paths and methods, malformed multipart bodies."""
    if error.status_code == 404:
        return PathUnknown()
    if error.status_code == 405:
        return MethodUnknown()
    return TooLarge(str(error.detail)) if error.status_code == 413 else InvalidInput(str(error.detail))
