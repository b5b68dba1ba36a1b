"""Which language to answer in: English or Simplified Chinese.

Chosen by the caller's own setting where there is one, then by Accept-Language. Source: RFC 9110 §12.5.4 (weights), RFC 4647
§3.4 (lookup); contracts/storefront.md "Conventions".
"""

import re
from functools import lru_cache
from typing import Literal

from starlette.types import Scope

Language = Literal["en", "zh-CN"]
DEFAULT: Language = "en"
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
CHOSEN = "language"
"""Where a request's state holds the caller's own choice, once it is known who calls."""
LONGEST_HEADER = 256
_RANGE = re.compile(r"(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[Qq]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")


def language_of(scope: Scope) -> Language:
    """The language to answer a request in."""
    chosen: Language | None = scope.get("state", {}).get(CHOSEN)
    return chosen or asked_language(scope)


def asked_language(scope: Scope) -> Language:
    """What the request's Accept-Language asks for, whoever calls."""
    lines = [value for name, value in scope["headers"] if name == b"accept-language"]
    if not lines:
        return DEFAULT
    header: bytes = lines[0] if len(lines) == 1 else b",".join(lines)
    return negotiate(header[: LONGEST_HEADER + 1].decode("latin-1"))


@lru_cache(maxsize=512)
def negotiate(accept: str, default: Language = DEFAULT) -> Language:
    """The best of our languages for an Accept-Language header.

    Any Chinese is zh-CN, any English en. What is no language range is passed over, and of a long header the rest.
    """
    ranges = _ranges(accept)
    refused = {language for language in LANGUAGES if _is_refused(language, ranges)}
    for tag, weight in sorted(ranges, key=lambda one: -one[1]):
        language = _match(tag)
        if weight > 0 and language is not None and language not in refused:
            return language
    offered = [default, *LANGUAGES]
    return next((language for language in offered if language not in refused), default)


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Language ranges in lower case with their weights, as they come."""
    parts = accept[:LONGEST_HEADER].split(",")
    if len(accept) > LONGEST_HEADER:
        parts.pop()  # cut in two
    found = (_RANGE.fullmatch(part.strip()) for part in parts)
    return [(match[1].lower(), float(match[2] or 1)) for match in found if match]


def _match(tag: str) -> Language | None:
    """The language that stands for a tag when it is shortened from the right, as lookup does."""
    primary = tag.partition("-")[0]
    return next((language for language in LANGUAGES if primary == language.partition("-")[0]), None)


def _is_refused(language: Language, ranges: list[tuple[str, float]]) -> bool:
    """Whether the caller said `q=0` of this language; of `zh-CN` and `zh` the longer one counts."""
    weights = dict(ranges)
    exact = weights.get(language.lower(), weights.get(language.partition("-")[0]))
    return exact == 0
