"""Answers on the wire: one body, or the events of a stream. Source: reference/chat.md §2.1, OpenAI's API reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import orjson

from hutong.sandbox.openai.answering import Answer, Choice
from hutong.sandbox.openai.asking import Asked

DONE = b"data: [DONE]\n\n"
SIZES = (1, 2, 3, 2, 4)
"""Tokens of the deltas of a stream, in turn: vendors put some together when they are fast."""
FINGERPRINT = "fp_hutong_sandbox"
Kind = Literal["role", "delta", "finish", "usage", "done"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream, and the tokens in it."""

    kind: Kind
    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """Writes one completion.

    Args:
        asked: the request.
        completion: the id of the answer.
        created: seconds since 1970.
    """

    asked: Asked
    completion: str
    created: int

    def body(self, answer: Answer, *, usage: bool) -> bytes:
        """The answer that is not streamed."""
        choices = [
            {
                "index": index,
                "message": _message(choice),
                "logprobs": self._logprobs(choice.pieces),
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(answer.choices)
        ]
        told = {"usage": answer.usage} if usage else {}
        return orjson.dumps({**self._frame("chat.completion"), "choices": choices, **told})

    def events(self, answer: Answer, *, usage: bool) -> Iterator[Event]:
        """The events of a stream; those of several choices by turns."""
        tracks = [list(self._track(index, choice)) for index, choice in enumerate(answer.choices)]
        for step in range(max(map(len, tracks))):
            yield from (track[step] for track in tracks if step < len(track))
        if self.asked.wants_usage and usage:
            yield Event("usage", self._event([], answer.usage))
        yield Event("done", DONE)

    def _track(self, index: int, choice: Choice) -> Iterator[Event]:
        """The events of one choice."""
        content: dict[str, Any] = {"content": None} if choice.calls else {"content": ""}
        yield self._delta("role", index, {"role": "assistant", **content, "refusal": None})
        for pieces in grouped(choice.pieces):
            logprobs = self._logprobs(pieces)
            yield self._delta("delta", index, {"content": _text(pieces)}, tokens=len(pieces), logprobs=logprobs)
        for place, call in enumerate(choice.calls):
            opened = {
                "index": place,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            yield self._delta("delta", index, {"tool_calls": [opened]})
            for pieces in grouped(call.pieces):
                part = {"index": place, "function": {"arguments": _text(pieces)}}
                yield self._delta("delta", index, {"tool_calls": [part]}, tokens=len(pieces))
        yield self._delta("finish", index, {}, finish=choice.finish)

    def _delta(
        self,
        kind: Kind,
        index: int,
        delta: dict[str, Any],
        *,
        tokens: int = 0,
        logprobs: Any = None,
        finish: str | None = None,
    ) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return Event(kind, self._event([choice], None), tokens)

    def _event(self, choices: list[Any], usage: Any) -> bytes:
        told = {"usage": usage} if self.asked.wants_usage else {}
        return b"data: " + orjson.dumps({**self._frame("chat.completion.chunk"), "choices": choices, **told}) + b"\n\n"

    def _frame(self, kind: str) -> dict[str, Any]:
        named = {"id": self.completion, "object": kind, "created": self.created, "model": self.asked.model}
        return {**named, "service_tier": "default", "system_fingerprint": FINGERPRINT}

    def _logprobs(self, pieces: Sequence[bytes]) -> Any:
        if not self.asked.logprobs or not pieces:
            return None
        return {"content": [_weighed(piece, self.asked.top_logprobs or 0) for piece in pieces], "refusal": None}


def grouped(pieces: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Some tokens together, and never a part of a character."""
    sizes, group = cycle(SIZES), list[bytes]()
    size = next(sizes)
    for piece in pieces:
        group.append(piece)
        if len(group) >= size and _ends_well(group):
            yield group
            group, size = [], next(sizes)
    if group:
        yield group


def _ends_well(pieces: list[bytes]) -> bool:
    try:
        b"".join(pieces).decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(pieces: Sequence[bytes]) -> str:
    return b"".join(pieces).decode()


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    if not choice.calls:
        return {**message, "content": _text(choice.pieces)}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _text(call.pieces)}}
        for call in choice.calls
    ]
    return {**message, "tool_calls": calls}


def _weighed(piece: bytes, top: int) -> dict[str, Any]:
    """A token with a likelihood, and others that would have been less likely; made up, and always the same."""
    likely = -round(sum(piece) % 97 / 100 + 0.01, 2)
    others = [_token(b" %d" % number, likely - number) for number in range(1, top)]
    first = _token(piece, likely)
    return {**first, "top_logprobs": [first, *others] if top else []}


def _token(piece: bytes, likely: float) -> dict[str, Any]:
    shown = piece.decode(errors="backslashreplace")
    return {"token": shown, "logprob": likely, "bytes": list(piece)}
