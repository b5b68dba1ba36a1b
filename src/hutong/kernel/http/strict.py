"""Strict bodies: what FastAPI lets in by default and money must not.

Refused: unknown fields, NaN and Infinity, duplicate keys, NUL and lone surrogates (in paths, too), booleans as numbers,
deep nesting,
query parameters that the route does not have or that are given twice.
Source: DESIGN §2.16; reference/reliability.md §0.8.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NoReturn

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException

from hutong.kernel.http.straight import straight
from hutong.kit.errors import HutongError, InvalidInput
from hutong.kit.text import is_clean

DEEPEST = 32
LONGEST_LIST = 20
"""Fields that one answer names at most."""


class BodyMalformed(InvalidInput):
    """The body is not the JSON that is expected here."""

    code = "http.body_malformed"


class BodyOfAnotherKind(BodyMalformed):
    """Send the body as JSON, with Content-Type: application/json."""

    code = "http.body_of_another_kind"
    status = 415


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field of a request.

    Args:
        path: of the field, as in `items.0.name`; `body` or `query` for all of it.
        kind: pydantic's name of the problem, as in `string_too_short`.
        text: an English sentence about it, never what was sent.
        context: the numbers and words of that sentence, as in `{"min_length": 8}`.
    """

    path: str
    kind: str
    text: str
    context: Mapping[str, int | float | str] = field(default_factory=dict)


class FieldsInvalid(InvalidInput):
    """Fields of the request are not valid."""

    code = "http.fields_invalid"

    def __init__(self, problems: Sequence[FieldProblem], message: str | None = None) -> None:
        first, self.problems = problems[0], tuple(problems[:LONGEST_LIST])
        named = [{"field": problem.path, "problem": problem.text} for problem in self.problems]
        super().__init__(message or f"{first.path}: {first.text}", details={"fields": named})


class StrictModel(BaseModel):
    """The base of every request body: no unknown fields, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, str_max_length=10_000)


def _spelled(value: object) -> object:
    """A moment is spelled out: pydantic would take a number for seconds."""
    if not isinstance(value, str):
        raise PydanticCustomError("moment", "a moment is written as in 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_spelled)]
"""A moment of a body, with its offset from UTC."""


def parse_json(body: bytes) -> Any:
    """`body` as JSON, strictly.

    Raises:
        BodyMalformed: it is no UTF-8 JSON, or holds NaN, duplicate keys, NUL, lone surrogates or too deep nesting.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
        _check(value, 0)
    except (ValueError, RecursionError) as error:
        raise BodyMalformed(f"The body is not valid JSON: {_reason(error)}") from error
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error).split(":")[0]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number here")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str) and not is_clean(value):
        raise ValueError("a string holds characters that are not text")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)


class QueryMalformed(FieldsInvalid):
    """The query holds a parameter that this path does not take, or one twice."""

    code = "http.query_malformed"

    def __init__(self, known: frozenset[str]) -> None:
        names = ", ".join(sorted(known))
        text = f"each of these at most once: {names}" if known else "this path takes no query"
        problem = FieldProblem("query", "query_unknown" if known else "query_refused", text, {"names": names})
        super().__init__([problem], (type(self).__doc__ or "").strip())


class StrictRequest(Request):
    """A request whose JSON is parsed strictly.

    FastAPI parses the body before it asks who calls. What is wrong with it is kept in `malformed` until that is known,
    so that strangers learn only that they are strangers.
    """

    malformed: BodyMalformed | None = None

    async def json(self) -> Any:
        try:
            return parse_json(await self.body())
        except BodyMalformed as error:
            self.malformed = error
            return _UNREADABLE


_UNREADABLE = object()  # no body model takes it


class StrictRoute(APIRoute):
    """The route class of every app: FastAPI's own handling on a `StrictRequest`. Bodies must be `StrictModel`s."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = straight(self.dependant) or super().get_route_handler()
        known = _query_names(self.dependant)

        async def strict(request: Request) -> Response:
            own = StrictRequest(request.scope, request.receive)
            _check_path(own)
            _check_query(own, known)
            try:
                return await handle(own)
            except RequestValidationError as error:
                raise own.malformed or _explained(error) from error
            except HTTPException as error:
                if isinstance(error.__cause__, HutongError):
                    raise error.__cause__ from error  # FastAPI hides why a body could not be read
                raise

        return strict


def is_json(request: Request) -> bool:
    """Whether the request says that its body is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def _explained(error: RequestValidationError) -> Exception:
    """FastAPI hands a body of another type on as bytes, and complains that these are no object."""
    if isinstance(error.body, bytes):
        return BodyOfAnotherKind()
    return error


def _query_names(dependant: Dependant) -> frozenset[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return frozenset(own.union(*(_query_names(part) for part in dependant.dependencies)))


def _check_path(request: Request) -> None:
    """A place in a path holds text: there is nothing under a name with NUL in it, and PostgreSQL refuses to look for it."""
    if not all(is_clean(place) for place in request.path_params.values() if isinstance(place, str)):
        raise HTTPException(404)


def _check_query(request: Request, known: frozenset[str]) -> None:
    if not request.scope["query_string"]:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    if not known.issuperset(names) or len(set(names)) != len(names):
        raise QueryMalformed(known)
