"""A value of a JSON schema, made of what was asked: the same every time. Source: JSON Schema 2020-12, as far as vendors take it."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 12
MOST_ITEMS = 20
LONGEST = 200
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "sandbox@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass
class Words:
    """What a question offers to fill fields with: numbers, names, and the whole of it."""

    text: str
    numbers: Iterator[float] = field(init=False)
    names: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = iter([float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", self.text)])
        self.names = iter(_names(self.text))


def _names(text: str) -> list[str]:
    """What is quoted, then words with a capital that begin no sentence, then what follows in, at, for, 在 or 的."""
    quoted = re.findall(r"[\"“「`]([^\"”」`]+)[\"”」`]", text)
    capital = re.findall(r"(?<=[a-z,] )[A-Z][\w'-]*(?: [A-Z][\w'-]*)*", text)
    behind = re.findall(r"\b(?:in|at|for|of|to)\s+(?:the\s+)?([\w-]+)", text) if not capital else []
    places = re.findall(r"(?:在|查询|查一下|请问|看看)?([一-鿿]{2,3}?)(?:市|的|今天|明天)", text)
    return [*dict.fromkeys([*quoted, *capital, *places, *behind])]


def instance(schema: Any, words: Words) -> Any:
    """A value that fits a schema."""
    return _made(schema, schema if isinstance(schema, Mapping) else {}, words, 0)


def _made(schema: Any, root: Mapping[str, Any], words: Words, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        said = [choice for choice in choices if isinstance(choice, str) and choice.lower() in words.text.lower()]
        return (said or choices)[0]
    if isinstance(schema.get("$ref"), str):
        return _made(_referred(schema["$ref"], root), root, words, depth + 1)
    for union in ("anyOf", "oneOf", "allOf"):
        if options := schema.get(union):
            return _made(_first(options), root, words, depth + 1)
    return _of_kind(_kind(schema), schema, root, words, depth)


def _of_kind(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], words: Words, depth: int) -> Any:
    match kind:
        case "object":
            fields = schema.get("properties")
            given = fields.items() if isinstance(fields, Mapping) else ()
            return {name: _made(inner, root, words, depth + 1) for name, inner in given}
        case "array":
            count = min(max(_size(schema, "minItems", 1), 1), MOST_ITEMS)
            return [_made(schema.get("items", {"type": "string"}), root, words, depth + 1) for _ in range(count)]
        case "integer" | "number":
            value = _bounded(next(words.numbers, 1.0), schema)
            return math.floor(value) if kind == "integer" else value
        case "boolean":
            return True
        case "string":
            return _string(schema, words)
    return None


def _string(schema: Mapping[str, Any], words: Words) -> str:
    if (known := _FORMATS.get(str(schema.get("format")))) is not None:
        return known
    text = next(words.names, None) or words.text.strip() or "sandbox"
    return text[: _size(schema, "maxLength", LONGEST)].ljust(_size(schema, "minLength", 0), ".")


def _size(schema: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A length that the schema asks for, within reason."""
    size = schema.get(name)
    return min(max(size, 0), LONGEST) if isinstance(size, int) else otherwise


def _bounded(value: float, schema: Mapping[str, Any]) -> float:
    least, most = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    if isinstance(least, int | float) and value < least:
        value = least + ("minimum" not in schema)
    if isinstance(most, int | float) and value > most:
        value = most - ("maximum" not in schema)
    return value


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    return str(kind or ("object" if "properties" in schema else "string"))


def _first(options: Any) -> Any:
    """The first that is not null."""
    found = options if isinstance(options, list) else []
    return next((each for each in found if isinstance(each, Mapping) and each.get("type") != "null"), {"type": "null"})


def _referred(path: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in path.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part) if isinstance(found, Mapping) else None
    return found
