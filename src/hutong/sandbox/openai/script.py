"""An answer as it will be played: what is sent when, and how it ends. Mishaps are worked in here, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from hutong.sandbox.openai.chunks import Event
from hutong.sandbox.openai.mishaps import AT_THE_END, Break
from hutong.sandbox.openai.refusals import FAILURES, Refusal

Ending = Literal["end", "hang", "cut"]
NONSENSE = {
    "json": b'data: {"id":"chatcmpl-","choices":[{"delta":{"con\n\n',
    "chunk": b'data: ["no", "chunk"]\n\n',
    "utf8": b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n',
}


@dataclass(frozen=True, slots=True)
class Step:
    """Some bytes, after a pause in seconds; `tokens` of an answer are in them."""

    pause: float
    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent, and what becomes of the connection then; without steps a break comes before the status."""

    steps: Sequence[Step]
    ending: Ending
    word: str


def streamed(events: Sequence[Event], broken: Break | None, first: float, between: float) -> Script:
    """A stream: its first delta after `first` seconds, the others `between` seconds apart."""
    if broken is not None and broken.after is None:
        return Script([], "hang" if broken.kind == "hang" else "cut", broken.kind)
    kept, ending = _worked_in(events, broken)
    opening = next((number for number, event in enumerate(kept) if event.kind == "delta"), 0)
    steps = [
        Step(between if event.kind == "delta" and number > opening else 0.0, event.data, event.tokens)
        for number, event in enumerate(kept)
    ]
    if steps:
        steps[0] = Step(first, steps[0].data, steps[0].tokens)
    return Script(steps, ending, "answered" if broken is None else broken.kind)


def whole(body: bytes, tokens: int, broken: Break | None, first: float) -> Script:
    """An answer in one piece, after `first` seconds."""
    if broken is None:
        return Script([Step(first, body, tokens)], "end", "answered")
    if broken.kind == "malformed":
        nonsense = {"json": body[: len(body) // 2], "chunk": b'["no","answer"]', "utf8": b"\xff\xfe" + body}
        return Script([Step(first, nonsense[broken.how], tokens)], "end", broken.kind)
    ending: Ending = "hang" if broken.kind == "hang" else "cut"
    steps = [] if broken.after is None else [Step(first, body[: len(body) // 2], tokens)]
    return Script(steps, ending, broken.kind)


def _worked_in(events: Sequence[Event], broken: Break | None) -> tuple[Sequence[Event], Ending]:
    """The events that are sent, with what does not belong there."""
    if broken is None:
        return events, "end"
    place = _place(events, broken.after or 0)
    before, behind = events[:place], events[place:]
    match broken.kind:
        case "hang" | "cut" as kind:
            return before, "hang" if kind == "hang" else "cut"
        case "error_event":
            return [*before, Event("delta", _told(FAILURES[broken.how]))], "end"
        case "malformed":
            return [*before, Event("delta", NONSENSE[broken.how]), *behind], "end"
    return before, "end"


def _place(events: Sequence[Event], after: int) -> int:
    """Behind so many deltas; behind the last one if there are fewer; just before the `[DONE]` for `AT_THE_END`."""
    if after == AT_THE_END:
        return len(events) - 1
    seen = 0
    for number, event in enumerate(events):
        if event.kind in {"finish", "usage", "done"} or (event.kind == "delta" and seen == after):
            return number
        seen += event.kind == "delta"
    return len(events)


def _told(refusal: Refusal) -> bytes:
    return b"data: " + orjson.dumps(refusal.body) + b"\n\n"
