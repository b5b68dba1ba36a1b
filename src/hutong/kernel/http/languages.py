"""Which language to answer in: English or Simplified Chinese, from Accept-Language. Source: RFC 9110 §12.5.4."""

from functools import lru_cache
from typing import Literal

Language = Literal["en", "zh-CN"]
DEFAULT: Language = "en"
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")


@lru_cache(maxsize=512)
def negotiate(accept: str, default: Language = DEFAULT) -> Language:
    """The best of our languages for an Accept-Language header; any Chinese is zh-CN, any English en, nonsense `default`."""
    best, weight = default, 0.0
    for part in accept[:256].split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        language = _match(tag.strip().lower())
        if language is not None and quality > weight:
            best, weight = language, quality
    return best


def _match(tag: str) -> Language | None:
    if tag == "zh" or tag.startswith("zh-"):
        return "zh-CN"
    if tag == "en" or tag.startswith("en-"):
        return "en"
    return None


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if name.strip() == "q" and 0 <= quality <= 1 else 0.0
