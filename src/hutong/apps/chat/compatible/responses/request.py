"""Requests of Responses: checked, and said again as a request of Chat Completions.

Source: OpenAI's API reference for responses (reference/chat.md §2.2), and its guide for moving from chat completions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hutong.apps.chat.compatible.bodies import (
    NAME_OR_OBJECT,
    NUMBER,
    OBJECT,
    OBJECTS,
    POSITIVE,
    SWITCH,
    TEXT,
    WHOLE,
    Kind,
    check_kinds,
    check_model,
    read_object,
)
from hutong.apps.chat.compatible.errors import ParameterInvalid
from hutong.apps.chat.compatible.responses.items import as_items, messages_of

KINDS: Mapping[str, Kind] = {
    "background": SWITCH,
    "include": Kind("an array", lambda value: isinstance(value, list)),
    "instructions": TEXT,
    "max_output_tokens": POSITIVE,
    "max_tool_calls": WHOLE,
    "metadata": OBJECT,
    "parallel_tool_calls": SWITCH,
    "previous_response_id": TEXT,
    "prompt_cache_key": TEXT,
    "reasoning": OBJECT,
    "safety_identifier": TEXT,
    "service_tier": TEXT,
    "store": SWITCH,
    "stream": SWITCH,
    "stream_options": OBJECT,
    "temperature": NUMBER,
    "text": OBJECT,
    "tool_choice": NAME_OR_OBJECT,
    "tools": OBJECTS,
    "top_logprobs": WHOLE,
    "top_p": NUMBER,
    "truncation": TEXT,
    "user": TEXT,
}
UNSUPPORTED = ("conversation", "prompt")
SAME = ("parallel_tool_calls", "prompt_cache_key", "service_tier", "temperature", "top_p")
"""Called the same by both."""
WITH_LOGPROBS = "message.output_text.logprobs"


def read_request(content: bytes) -> dict[str, Any]:
    """The body of a request for a response, checked; its `input` is a list of items.

    Raises:
        BodyUnreadable, ParameterInvalid.
    """
    body = read_object(content)
    check_model(body)
    check_kinds(body, KINDS)
    for name in UNSUPPORTED:
        if body.get(name) is not None:
            raise ParameterInvalid(name, f"'{name}' is not supported here.")
    if body.get("background") and body.get("store") is False:
        raise ParameterInvalid("background", "A response in the background has to be stored: leave out store=false.")
    body["input"] = as_items(body.get("input"))
    return body


def as_chat(body: Mapping[str, Any], history: Iterable[Sequence[Any]], *, reasoning: bool) -> dict[str, Any]:
    """The same request for Chat Completions.

    Args:
        body: checked.
        history: inputs and outputs of the responses before it, oldest first.
        reasoning: whether the model thinks: such models take only the newer name of the bound.

    Raises:
        ParameterInvalid: it holds something that Chat Completions cannot say.
    """
    earlier = [item for items in history for item in items]
    messages = messages_of([*earlier, *body["input"]])
    if instructions := body.get("instructions"):
        messages.insert(0, {"role": "system", "content": instructions})
    chat: dict[str, Any] = {"model": body["model"], "messages": messages}
    chat |= {name: body[name] for name in SAME if body.get(name) is not None}
    if (most := body.get("max_output_tokens")) is not None:
        chat["max_completion_tokens" if reasoning else "max_tokens"] = most
    if effort := (body.get("reasoning") or {}).get("effort"):
        chat["reasoning_effort"] = effort
    if WITH_LOGPROBS in (body.get("include") or ()):
        chat |= {"logprobs": True, "top_logprobs": body.get("top_logprobs") or 0}
    return chat | _tools(body) | _text(body.get("text") or {})


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = body.get("tools")
    if not tools:
        return {}
    found: dict[str, Any] = {"tools": [_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]}
    if (choice := body.get("tool_choice")) is not None:
        found["tool_choice"] = _choice(choice)
    return found


def _tool(tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise ParameterInvalid(f"{place}.type", f"{place}: only tools of type 'function' are supported here.")
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise ParameterInvalid(f"{place}.name", f"{place}.name must be a string.")
    function = {
        name: tool[name] for name in ("name", "description", "parameters", "strict") if tool.get(name) is not None
    }
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if choice.get("type") == "function" and isinstance(choice.get("name"), str):
        return {"type": "function", "function": {"name": choice["name"]}}
    raise ParameterInvalid("tool_choice", "tool_choice must be auto, none, required or name a function.")


def _text(text: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if text.get("verbosity") is not None:
        found["verbosity"] = text["verbosity"]
    wanted = text.get("format")
    if wanted is None:
        return found
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_schema":
        schema = {name: wanted[name] for name in ("name", "description", "schema", "strict") if name in wanted}
        found["response_format"] = {"type": kind, "json_schema": schema}
    elif kind == "json_object":
        found["response_format"] = {"type": kind}
    elif kind != "text":
        raise ParameterInvalid("text.format", "text.format.type must be text, json_object or json_schema.")
    return found
