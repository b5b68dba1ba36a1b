"""Counting tokens without a provider: for what came without usage, and for what has to fit a model's window.

The vocabulary (o200k, of OpenAI's models since GPT-4o) ships in a package, and costs time and 140 MB of memory when it is
first needed: hence lazily, and in a thread. For other families it is an estimate, mostly a few per cent off. Source:
reference/chat.md §6.3; ADR 0026 for the choice and for the attack that ruled the other candidate out.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Protocol

ENCODING = "o200k_base"
PER_MESSAGE = 3
PER_NAME = 1
PER_REPLY = 3
PER_PICTURE = 765  # a square of 1024 pixels at full detail, by OpenAI's own page
SHORT = 4_000  # characters that are counted on the loop: a fifth of a millisecond


class _Encoding(Protocol):
    def encode_ordinary(self, text: str) -> list[int]: ...

    def decode_tokens_bytes(self, tokens: list[int]) -> list[bytes]: ...


@cache
def _encoding() -> _Encoding:
    import bpe_openai

    found: _Encoding = bpe_openai.get_encoding(ENCODING)
    return found


def warm() -> None:
    """Load the vocabulary: most of a second. Call it in a thread."""
    _encoding()


def count_now(text: str) -> int:
    """Tokens of a text; special tokens written in it count as the text that they are."""
    return len(_encoding().encode_ordinary(text)) if text else 0


async def count(*texts: str) -> int:
    """Tokens of some texts together; long ones, and the first ones, are counted in a thread."""
    if not any(texts):
        return 0
    if _encoding.cache_info().currsize and sum(map(len, texts)) <= SHORT:
        return sum(map(count_now, texts))
    return await asyncio.to_thread(_sum, texts)


async def split(text: str) -> list[bytes]:
    """The tokens of a text, one after the other; one may hold a part of a character only."""
    return await asyncio.to_thread(_split, text) if text else []


def _split(text: str) -> list[bytes]:
    encoding = _encoding()
    return encoding.decode_tokens_bytes(encoding.encode_ordinary(text))


def _sum(texts: Iterable[str]) -> int:
    return sum(map(count_now, texts))


async def count_request(body: Mapping[str, Any]) -> int:
    """Tokens that a request of Chat Completions makes a model read, with what frames each message."""
    texts: list[str] = []
    overhead = PER_REPLY
    for message in body.get("messages") or ():
        overhead += PER_MESSAGE + _gather(message, texts)
    for tool in body.get("tools") or ():
        _strings(tool, texts)
    return overhead + await count(*texts)


def _gather(message: Mapping[str, Any], texts: list[str]) -> int:
    """Put a message's texts into `texts`; returns the tokens of what is no text."""
    content, extra = message.get("content"), 0
    texts.append(str(message.get("role") or ""))
    if (name := message.get("name")) is not None:
        texts.append(str(name))
        extra += PER_NAME
    if isinstance(content, str):
        texts.append(content)
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping):
            extra += PER_PICTURE
    for call in message.get("tool_calls") or ():
        _strings(call.get("function"), texts)
    return extra


def _strings(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            texts.append(str(key))
            _strings(item, texts)
    elif isinstance(value, list):
        for item in value:
            _strings(item, texts)
