"""Answers of the gateway: a JSON object whose one member is signed as the bytes that it is written with.

The signature covers the exact bytes of the member, so they are cut out of the answer and never written anew. Source: Alipay
OpenAPI, verification of synchronous answers.
"""

import json
from typing import Any

_SPACE = " \t\r\n"


class AnswerMalformed(ValueError):
    """This is no answer of Alipay's gateway."""


def members(body: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each value as the bytes that it is written with.

    Raises:
        AnswerMalformed: it is no object, names a member twice, or goes on behind its end.
    """
    try:
        text = body.decode()  # strict UTF-8: writing it again gives the very same bytes
        return _members(text)
    except (ValueError, RecursionError) as error:
        raise AnswerMalformed(f"it is no JSON object: {error}") from error


def object_of(raw: bytes) -> dict[str, Any]:
    """A JSON object read strictly: no name twice, no NaN, numbers as the text that they are written with.

    Raises:
        AnswerMalformed.
    """
    try:
        content = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise AnswerMalformed(f"it is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise AnswerMalformed("it is no JSON object")
    return content


def text_of(raw: bytes) -> str:
    """A JSON string.

    Raises:
        AnswerMalformed.
    """
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise AnswerMalformed(f"it is no JSON: {error}") from error
    if not isinstance(content, str):
        raise AnswerMalformed("it is no JSON string")
    return content


def _members(text: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    at = _expect(text, 0, "{")
    while True:
        name, _, at = _value(text, at)
        if not isinstance(name, str) or name in found:
            raise ValueError("a member has no name of its own")
        _, written, at = _value(text, _expect(text, at, ":"))
        found[name] = written.encode()
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            break
        at = _expect(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something stands behind its end")
    return found


def _value(text: str, at: int) -> tuple[Any, str, int]:
    """The value that begins at `at`, as it is written, and where it ends."""
    start = _skip(text, at)
    content, end = _DECODER.raw_decode(text, start)
    return content, text[start:end], end


def _expect(text: str, at: int, char: str) -> int:
    """Behind the `char` that must come next."""
    at = _skip(text, at)
    if text[at : at + 1] != char:
        raise ValueError(f"{char} is missing at {at}")
    return at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse, object_pairs_hook=_once)
