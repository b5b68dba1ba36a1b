"""Requests of Chat Completions: parameters that we know have the right type, those that we do not pass through.

Providers have parameters of their own and new ones each month, so nothing is refused for being unknown. Ranges are the
provider's to judge. Source: OpenAI's API reference for chat completions (reference/chat.md §2.1).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from hutong.apps.chat.compatible.errors import BodyUnreadable, ParameterInvalid
from hutong.kernel.gateway.models import Facts

ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
MOST_MESSAGES = 10_000
MOST_CHOICES = 128
BYTES_PER_TOKEN = 3
"""Of a prompt: English has four or more, code and Chinese about three, so that an estimate is rather too high."""
PER_MESSAGE = 8
PER_PICTURE = 1_100


class Kind(NamedTuple):
    """A type that a parameter may have: its words, and whether a value is of it."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_whole(value) and value > 0


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


NUMBER = Kind("a number", _is_number)
WHOLE = Kind("an integer", _is_whole)
POSITIVE = Kind("an integer of at least 1", _is_positive)
SWITCH = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a string", lambda value: isinstance(value, str))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
OBJECTS = Kind(
    "an array of objects", lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value)
)
NAME_OR_OBJECT = Kind("a string or an object", lambda value: isinstance(value, str | dict))
STOP = Kind("a string or an array of strings", _is_stop)
CHOICES = Kind(f"an integer from 1 to {MOST_CHOICES}", lambda value: _is_positive(value) and value <= MOST_CHOICES)

KINDS: Mapping[str, Kind] = {
    "frequency_penalty": NUMBER,
    "functions": OBJECTS,
    "logit_bias": OBJECT,
    "logprobs": SWITCH,
    "max_completion_tokens": POSITIVE,
    "max_tokens": POSITIVE,
    "metadata": OBJECT,
    "n": CHOICES,
    "parallel_tool_calls": SWITCH,
    "presence_penalty": NUMBER,
    "reasoning_effort": TEXT,
    "response_format": OBJECT,
    "seed": WHOLE,
    "stop": STOP,
    "store": SWITCH,
    "stream": SWITCH,
    "stream_options": OBJECT,
    "temperature": NUMBER,
    "tool_choice": NAME_OR_OBJECT,
    "tools": OBJECTS,
    "top_logprobs": WHOLE,
    "top_p": NUMBER,
    "user": TEXT,
}


def read_object(content: bytes) -> dict[str, Any]:
    """A body as a JSON object.

    Raises:
        BodyUnreadable: it is none.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BodyUnreadable from error
    if not isinstance(body, dict):
        raise BodyUnreadable
    return body


def read_call(content: bytes) -> dict[str, Any]:
    """The body of a chat completion, checked.

    Raises:
        BodyUnreadable, ParameterInvalid.
    """
    body = read_object(content)
    check_model(body)
    check_kinds(body, KINDS)
    _check_messages(body.get("messages"))
    if not isinstance(wished(body).get("include_usage"), bool | None):
        raise ParameterInvalid("stream_options.include_usage", "stream_options.include_usage must be true or false.")
    return body


def check_model(body: Mapping[str, Any]) -> None:
    """Refuse a request that names no model.

    Raises:
        ParameterInvalid.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ParameterInvalid("model", "You must provide a model parameter, a string.")


def check_kinds(body: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Refuse what is of another type than it should be; null is as if left out.

    Raises:
        ParameterInvalid: for the first one.
    """
    for name, value in body.items():
        kind = kinds.get(name)
        if kind is not None and value is not None and not kind.fits(value):
            raise ParameterInvalid(name, f"Invalid type or value for '{name}': expected {kind.words}.")


def wished(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a stream."""
    options: Mapping[str, Any] = body.get("stream_options") or {}
    return options


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise ParameterInvalid("messages", "messages must be a non-empty array.")
    if len(messages) > MOST_MESSAGES:
        raise ParameterInvalid("messages", f"messages holds more than {MOST_MESSAGES} entries.")
    for number, message in enumerate(messages):
        _check_message(message, f"messages[{number}]")


def _check_message(message: Any, place: str) -> None:
    if not isinstance(message, dict):
        raise ParameterInvalid(place, f"{place} must be an object.")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ParameterInvalid(f"{place}.role", f"{place}.role must be one of {', '.join(sorted(ROLES))}.")
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in content):
            raise ParameterInvalid(f"{place}.content", f"{place}.content must hold objects with a type.")
    elif not isinstance(content, str) and (content is not None or role not in {"assistant", "function"}):
        raise ParameterInvalid(f"{place}.content", f"{place}.content must be a string or an array of parts.")
    calls = message.get("tool_calls")
    if calls is not None and not OBJECTS.fits(calls):
        raise ParameterInvalid(f"{place}.tool_calls", f"{place}.tool_calls must be an array of objects.")


def reserve_for(body: Mapping[str, Any], facts: Facts, usual_output: int) -> int:
    """Tokens to set aside for a call: its prompt, rather too high than too low, and what it may write.

    Args:
        body: a checked request.
        facts: of the model, which bound what it can write.
        usual_output: tokens that are set aside for each choice where the caller names no bound.
    """
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or usual_output
    output: int = min(asked, facts.output) * (body.get("n") or 1)
    return min(_prompt(body), facts.window) + output


def _prompt(body: Mapping[str, Any]) -> int:
    size = tokens = 0
    for message in body["messages"]:
        tokens += PER_MESSAGE
        content = message.get("content")
        if isinstance(content, str):
            size += _bytes(content)
        elif content:
            for part in content:
                text = part.get("text")
                if isinstance(text, str):
                    size += _bytes(text)
                else:
                    tokens += PER_PICTURE
        if calls := message.get("tool_calls"):
            size += len(orjson.dumps(calls))
    if tools := body.get("tools"):
        size += len(orjson.dumps(tools))
    return tokens - (-size // BYTES_PER_TOKEN)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
