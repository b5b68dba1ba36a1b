"""Strict bodies: what FastAPI lets in by default and money must not.

Refused: unknown fields, NaN and Infinity, duplicate keys, NUL and lone surrogates, booleans as numbers, deep nesting.
Source: DESIGN §2.16; reference/reliability.md §0.8.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from hutong.kit.errors import InvalidInput
from hutong.kit.text import is_clean

DEEPEST = 32


class BodyMalformed(InvalidInput):
    """The body is not the JSON that is expected here."""

    code = "http.body_malformed"


class StrictModel(BaseModel):
    """The base of every request body: no unknown fields, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, str_max_length=10_000)


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


class StrictRequest(Request):
    """A request whose JSON is parsed strictly."""

    async def json(self) -> Any:
        if not hasattr(self, "_strict_json"):
            self._strict_json = parse_json(await self.body())
        return self._strict_json


class StrictRoute(APIRoute):
    """The route class of every app: FastAPI's own handling on a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict
