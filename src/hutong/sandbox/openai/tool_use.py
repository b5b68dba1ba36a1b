"""Which of the offered tools a message asks for, and with which arguments."""

import hashlib
import re
from dataclasses import dataclass

import orjson

from hutong.sandbox.openai.asking import Asked, Chosen, Tool
from hutong.sandbox.openai.shapes import Words, instance

MOST_CALLS = 4
_COMMON = frozenset(
    """
    the and for get set with from that this given returns return current a an of to in is it by or on at what how
    please tool function use using find list make
    """.split()  # noqa: SIM905 - words, and not code
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


def tool_calls(asked: Asked) -> list[ToolCall]:
    """The calls that the last message brings about; none if it is no user's, or asks for nothing that is offered."""
    tools = _wanted(asked)
    if asked.parallel_tool_calls is False:
        tools = tools[:1]
    text = asked.messages[-1].text
    return [_called(tool, text, number) for number, tool in enumerate(tools[:MOST_CALLS])]


def _wanted(asked: Asked) -> list[Tool]:
    tools, choice = asked.tools or [], asked.tool_choice
    if choice == "none" or not tools:
        return []
    if isinstance(choice, Chosen):
        return [tool for tool in tools if tool.function.name == choice.function.get("name")]
    last = asked.messages[-1]
    fitting = [tool for tool in tools if last.role == "user" and _fits(tool, last.text)]
    return fitting or (tools[:1] if choice == "required" else [])


def _fits(tool: Tool, text: str) -> bool:
    """Whether a message names the tool, or has a word in common with its name or description."""
    name, about = tool.function.name, tool.function.description
    if name.lower() in text.lower() or _words(name.replace("_", " ").replace("-", " ")) & _words(text):
        return True
    return bool(_pairs(about) & _pairs(text) or len(_words(about) & _words(text)) > 1)


def _words(text: str) -> set[str]:
    spelled = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return {word.rstrip("s") for word in re.findall(r"[a-z]{3,}", spelled.lower()) if word not in _COMMON}


def _pairs(text: str) -> set[str]:
    """Chinese has no spaces: two characters that stand side by side are taken for a word."""
    return {run[at : at + 2] for run in re.findall(r"[一-鿿]{2,}", text) for at in range(len(run) - 1)}


def _called(tool: Tool, text: str, number: int) -> ToolCall:
    arguments = orjson.dumps(instance(tool.function.parameters or {"type": "object"}, Words(text))).decode()
    digest = hashlib.sha256(f"{number} {tool.function.name} {arguments}".encode()).hexdigest()
    return ToolCall(f"call_{digest[:24]}", tool.function.name, arguments)
