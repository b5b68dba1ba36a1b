"""From a request to its answer: the choices in tokens, cut where the request says so, with why each ended."""

from dataclasses import dataclass
from typing import Any, Literal

from hutong.kernel.gateway import tokens
from hutong.sandbox.openai.asking import Asked
from hutong.sandbox.openai.composing import composed
from hutong.sandbox.openai.refusals import too_long
from hutong.sandbox.openai.tool_use import ToolCall, tool_calls

Finish = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool, its arguments in tokens."""

    id: str
    name: str
    pieces: list[bytes]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers. `pieces` are the tokens of its text; it has calls or a text, not both."""

    pieces: list[bytes]
    calls: list[Call]
    finish: Finish

    @property
    def tokens(self) -> int:
        return len(self.pieces) + sum(len(call.pieces) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Answer:
    """All choices, and the tokens of what was read."""

    choices: list[Choice]
    prompt: int

    @property
    def completion(self) -> int:
        return sum(choice.tokens for choice in self.choices)

    @property
    def usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


async def prompt_of(asked: Asked, body: dict[str, Any]) -> int:
    """Tokens of a request.

    Raises:
        Refusal: they do not fit into the model's window, with what may be written.
    """
    prompt, window = await tokens.count_request(body), asked.facts.window
    if prompt + (asked.most or 1) > window:
        raise too_long(window, prompt, asked.most or 0)
    return prompt


async def answered(asked: Asked, prompt: int) -> Answer:
    """The answer to a request, which has so many tokens."""
    room = min(asked.most or asked.facts.output, asked.facts.window - prompt)
    calls = tool_calls(asked)
    count = asked.n or 1
    if calls:
        return Answer([await _calling(calls, room)] * count, prompt)
    return Answer([await _saying(asked, number, room) for number in range(count)], prompt)


async def _saying(asked: Asked, number: int, room: int) -> Choice:
    text = composed(asked, number)
    for word in asked.stops:
        text = text.partition(word)[0]
    pieces = await tokens.split(text)
    return Choice(_whole(pieces[:room]), [], "length" if len(pieces) > room else "stop")


async def _calling(calls: list[ToolCall], room: int) -> Choice:
    made = []
    for call in calls:
        pieces = await tokens.split(call.arguments)
        made.append(Call(call.id, call.name, _whole(pieces[:room])))
        if len(pieces) > room:
            return Choice([], made, "length")
        room -= len(pieces)
    return Choice([], made, "tool_calls")


def _whole(pieces: list[bytes]) -> list[bytes]:
    """Without the first part of a last character that was cut."""
    while pieces and not _is_text(b"".join(pieces)):
        pieces = pieces[:-1]
    return pieces


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
