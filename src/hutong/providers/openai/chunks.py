"""Chunks and answers of Chat Completions: what the gateway must know of them; the rest passes through unchanged.

Source: OpenAI's API reference for chat completions, streaming (reference/chat.md §2.1).
"""

from typing import Any

import orjson

from hutong.kernel.gateway.chat import ChatDelta, ProviderAnswer, Usage

REASONING = ("reasoning_content", "reasoning")


class NotAChunk(ValueError):
    """Some JSON is no chunk and no answer of Chat Completions."""


class Chunks:
    """Turns the data of events into deltas, and sees whether the answer is whole.

    Args:
        model: the name that the caller used; chunks are given it back.
        keep_null_usage: whether chunks keep `usage: null`, as they do for a caller who asked for the usage.
    """

    def __init__(self, model: str, *, keep_null_usage: bool) -> None:
        self._model = model
        self._keep_null_usage = keep_null_usage
        self._open: set[int] = set()
        self._finished = False
        self.error: Any = None

    @property
    def whole(self) -> bool:
        """Whether every choice that began has said why it ended."""
        return self._finished and not self._open

    def delta(self, data: bytes) -> ChatDelta | None:
        """What an event says. None if it is an error, which is then in `error`.

        Raises:
            NotAChunk: it says nothing that can be understood.
        """
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise NotAChunk(f"an event of {len(data)} bytes is no JSON") from error
        if not isinstance(chunk, dict):
            raise NotAChunk("an event is no object")
        if chunk.get("error"):
            self.error = chunk["error"]
            return None
        given = chunk.get("usage")
        usage = None if given is None else usage_in(given)
        if given is None and not self._keep_null_usage:
            chunk.pop("usage", None)
        choices = chunk.get("choices")
        if choices is None and usage is not None:
            choices = chunk["choices"] = []
        if not isinstance(choices, list):
            raise NotAChunk("an event has no choices")
        chunk["model"] = self._model
        text, beside, finish = self._choice(choices[0]) if len(choices) == 1 else self._choices(choices)
        return ChatDelta(orjson.dumps(chunk), text, beside, finish, usage, not choices and usage is not None)

    def _choices(self, choices: list[Any]) -> tuple[str, str, str | None]:
        text, beside, finish = "", "", None
        for choice in choices:
            content, other, reason = self._choice(choice)
            text, beside, finish = text + content, beside + other, reason or finish
        return text, beside, finish

    def _choice(self, choice: Any) -> tuple[str, str, str | None]:
        if not isinstance(choice, dict):
            raise NotAChunk("a choice is no object")
        index, reason = choice.get("index") or 0, choice.get("finish_reason")
        if not isinstance(index, int) or not isinstance(reason, str | None):
            raise NotAChunk("a choice has an odd index or reason")
        content, other = generated(choice.get("delta"))
        if reason:
            self._open.discard(index)
            self._finished = True
        elif content or other:
            self._open.add(index)
        return (content, other, reason) if index == 0 else ("", content + other, None)


def generated(message: Any) -> tuple[str, str]:
    """The text of a message or delta, and what else of it was generated: reasoning, refusals, names and arguments of tools.

    Raises:
        NotAChunk: what should be text is something else.
    """
    if message is None:
        return "", ""
    if not isinstance(message, dict):
        raise NotAChunk("a message is no object")
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise NotAChunk("a message's content is no text")
    if content and len(message) == 1:  # nearly all deltas
        return content, ""
    others = [message.get("refusal"), next((message[name] for name in REASONING if message.get(name)), None)]
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions.append(message.get("function_call"))
    for function in functions:
        if isinstance(function, dict):
            others += [function.get("name"), function.get("arguments")]
    return content or "", "".join(other for other in others if isinstance(other, str))


def usage_in(given: Any) -> Usage | None:
    """Usage as the provider tells it; None if it tells none, or something that cannot be."""
    if not isinstance(given, dict):
        return None
    prompt, completion = _count(given.get("prompt_tokens")), _count(given.get("completion_tokens", 0))
    if prompt is None or completion is None:
        return None
    details = given.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, completion, cached=min(cached or 0, prompt))


def _count(value: Any) -> int | None:
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if plausible else None


def answer_in(body: Any, model: str, request_id: str) -> ProviderAnswer:
    """A whole answer.

    Raises:
        NotAChunk: it is none.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices) or not choices:
        raise NotAChunk("an answer has no choices")
    parts = [part for choice in choices for part in generated(choice.get("message"))]
    first = next((choice for choice in choices if not choice.get("index")), choices[0])
    reason = first.get("finish_reason")
    named = orjson.dumps({**body, "model": model})
    finish = reason if isinstance(reason, str) else None
    return ProviderAnswer(named, usage_in(body.get("usage")), "".join(parts), finish, request_id)
