"""Items of a response's input and output, as messages of Chat Completions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hutong.apps.chat.compatible.errors import ParameterInvalid

ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
"""`developer` is `system` to all providers but one."""
MOST_ITEMS = 10_000
TEXTS = frozenset({"input_text", "output_text", "text"})


def as_items(given: Any) -> list[Any]:
    """The `input` of a request as a list of items, each with a type.

    Raises:
        ParameterInvalid.
    """
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    if not isinstance(given, list):
        raise ParameterInvalid("input", "input must be a string or an array of items.")
    if len(given) > MOST_ITEMS or not all(isinstance(item, dict) for item in given):
        raise ParameterInvalid("input", f"input must be an array of at most {MOST_ITEMS} objects.")
    items = [item if item.get("type") else {"type": "message", **item} for item in given]
    messages_of(items)  # says now what is wrong with them
    return items


def messages_of(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages that say the same.

    Raises:
        ParameterInvalid: an item is none that Chat Completions can say.
    """
    messages: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        place = f"input[{number}]"
        kind = item.get("type")
        if kind == "message":
            messages.append(_message(item, place))
        elif kind == "function_call":
            _add_call(messages, item, place)
        elif kind == "function_call_output":
            messages.append(_result(item, place))
        elif kind != "reasoning":  # what a model thought is its own
            raise ParameterInvalid(
                f"{place}.type", f"{place}: items of type {str(kind)[:64]!r} are not supported here."
            )
    return messages


def _message(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    role = item.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise ParameterInvalid(f"{place}.role", f"{place}.role must be one of {', '.join(ROLES)}.")
    return {"role": ROLES[role], "content": _content(item.get("content"), f"{place}.content")}


def _content(content: Any, place: str) -> Any:
    """A string where there is nothing but text, for not every provider takes parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ParameterInvalid(place, f"{place} must be a string or an array of parts.")
    parts = [_part(part, f"{place}[{number}]") for number, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in TEXTS or kind == "refusal":
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise ParameterInvalid(f"{place}.text", f"{place}.text must be a string.")
        return {"type": "text", "text": text}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        file = {name: part[name] for name in ("file_data", "filename") if name in part}
        return {"type": "file", "file": file}
    raise ParameterInvalid(
        place, f"{place}: a part of type {str(kind)[:64]!r}, or what it lacks, is not supported here."
    )


def _add_call(messages: list[dict[str, Any]], item: Mapping[str, Any], place: str) -> None:
    """Calls of one turn stand in one message, together with what was said before them."""
    named = {name: item.get(name) for name in ("call_id", "name", "arguments")}
    if not all(isinstance(value, str) for value in named.values()):
        raise ParameterInvalid(place, f"{place} needs call_id, name and arguments, all strings.")
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    function = {"name": named["name"], "arguments": named["arguments"]}
    call = {"id": named["call_id"], "type": "function", "function": function}
    messages[-1].setdefault("tool_calls", []).append(call)


def _result(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    if not isinstance(item.get("call_id"), str):
        raise ParameterInvalid(f"{place}.call_id", f"{place}.call_id must be a string.")
    content = _content(item.get("output"), f"{place}.output")
    return {"role": "tool", "tool_call_id": item["call_id"], "content": content}
