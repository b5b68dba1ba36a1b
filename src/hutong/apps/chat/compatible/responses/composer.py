"""From chunks of Chat Completions to a response and its events, numbered from nought.

A message, a call of a function and what the model thought are items, one after the other; an item is closed when the next one
begins. Whole answers are one large chunk. Source: OpenAI's API reference for responses, "Streaming events".
"""

from collections.abc import Callable, Mapping
from typing import Any

from hutong.apps.chat.compatible.responses.writing import Call, Item, Message, Thought
from hutong.apps.chat.compatible.tables import ResponseStatus

Event = dict[str, Any]
REASONING = ("reasoning_content", "reasoning")
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Composer:
    """Writes one response.

    Args:
        response: the new object; it is kept as it is at present.
        make_id: gives an id with a prefix, as in `msg_…`.
        number: of the next event.
    """

    def __init__(self, response: dict[str, Any], make_id: Callable[[str], str], number: int = 0) -> None:
        self.response = response
        self._make_id = make_id
        self._number = number
        self._open: Item | None = None
        self._calls: dict[int, Call] = {}
        self._finish: str | None = None
        self.reasoning_tokens = 0

    def begin(self) -> list[Event]:
        """The first events; the response is in progress."""
        created = self._event("response.created", response=self._shown())
        self.response["status"] = ResponseStatus.IN_PROGRESS.value
        return [created, self._event("response.in_progress", response=self._shown())]

    def add(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events of one chunk; only the first choice counts."""
        self._note_usage(chunk.get("usage"))
        events: list[Event] = []
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            self._finish = choice.get("finish_reason") or self._finish
            said = choice.get("delta") or choice.get("message")
            if said:
                self._say(said, (choice.get("logprobs") or {}).get("content") or [], events)
        return events

    def end(self, status: ResponseStatus | None, now: int, usage: Any, error: Any = None) -> list[Event]:
        """The last events.

        Args:
            status: how it ended; None: as the model's own reason says.
            now: seconds since 1970.
            usage: in the words of Responses.
            error: code and message of what went wrong.
        """
        events: list[Event] = []
        reason = INCOMPLETE.get(self._finish or "") if status is None else None
        ended = status or (ResponseStatus.INCOMPLETE if reason else ResponseStatus.COMPLETED)
        whole = ended is ResponseStatus.COMPLETED
        self._close(events, "completed" if whole else "incomplete")
        self.response |= {
            "status": ended.value,
            "completed_at": now if whole else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": usage,
            "error": error,
        }
        events.append(self._event(f"response.{ended.value}", response=self._shown()))
        return events

    def present(self) -> dict[str, Any]:
        """The object as it is in the middle of the stream."""
        if self._open is not None:
            self._open.settle()
        return self._shown()

    @property
    def finished(self) -> bool:
        """Whether the model said why it ended."""
        return self._finish is not None

    def _say(self, said: Mapping[str, Any], logprobs: list[Any], events: list[Event]) -> None:
        thought = next((said[name] for name in REASONING if isinstance(said.get(name), str)), "")
        if thought:
            self._item(Thought, "rs_", events).say(thought, self._emitter(events))
        if content := said.get("content"):
            self._item(Message, "msg_", events).say(content, logprobs, self._emitter(events))
        if refusal := said.get("refusal"):
            self._item(Message, "msg_", events).refuse(refusal, self._emitter(events))
        for place, call in enumerate(said.get("tool_calls") or ()):
            self._call(call, place, events)

    def _call(self, given: Mapping[str, Any], place: int, events: list[Event]) -> None:
        index = given.get("index", place)
        function = given.get("function") or {}
        call = self._calls.get(index)
        if call is None:
            call = Call(self._make_id("fc_"), given.get("id") or self._make_id("call_"), function.get("name") or "")
            self._calls[index] = call
            self._start(call, events)
        call.say(function.get("arguments") or "", self._emitter(events))

    def _item(self, kind: Callable[[str], Any], prefix: str, events: list[Event]) -> Any:
        """The open item if it is of this kind, else a new one."""
        if type(self._open) is not kind:
            self._start(kind(self._make_id(prefix)), events)
        return self._open

    def _start(self, item: Item, events: list[Event]) -> None:
        self._close(events, "completed")
        self._open = item
        item.place = len(self.response["output"])
        self.response["output"].append(item.shown)
        item.start(self._emitter(events))

    def _close(self, events: list[Event], status: str) -> None:
        if self._open is not None:
            self._open.finish(status, self._emitter(events))
            self._open = None

    def _note_usage(self, usage: Any) -> None:
        details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
        if isinstance(details, dict) and isinstance(details.get("reasoning_tokens"), int):
            self.reasoning_tokens = details["reasoning_tokens"]

    def _emitter(self, events: list[Event]) -> Callable[..., None]:
        def emit(kind: str, **fields: Any) -> None:
            events.append(self._event(kind, **fields))

        return emit

    def _event(self, kind: str, **fields: Any) -> Event:
        number, self._number = self._number, self._number + 1
        return {"type": kind, "sequence_number": number, **fields}

    def _shown(self) -> dict[str, Any]:
        """The object as it is now; items go on changing."""
        return {**self.response, "output": [dict(item) for item in self.response["output"]]}
