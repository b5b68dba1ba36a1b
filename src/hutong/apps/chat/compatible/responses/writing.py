"""Items of an output while they are written: each says its events, and shows itself as it is at present.

Texts are kept in pieces until somebody looks, so that a long answer is not copied for each of its tokens.
"""

from collections.abc import Callable
from typing import Any

Emit = Callable[..., None]


class Item:
    """One item of an output.

    Args:
        item_id: of ours.
        kind: as the item names its type.
        fields: what it shows beside id, type and status.
    """

    def __init__(self, item_id: str, kind: str, **fields: Any) -> None:
        self.place = 0
        self.shown: dict[str, Any] = {"id": item_id, "type": kind, "status": "in_progress", **fields}

    def start(self, emit: Emit) -> None:
        """Say that it begins."""
        emit("response.output_item.added", output_index=self.place, item=dict(self.shown))

    def finish(self, status: str, emit: Emit) -> None:
        """Say that it ends, with all that it holds."""
        self.settle()
        self.close(emit)
        self.shown["status"] = status
        emit("response.output_item.done", output_index=self.place, item=dict(self.shown))

    def settle(self) -> None:
        """Put the pieces together in `shown`."""

    def close(self, emit: Emit) -> None:
        """Say that its parts end."""

    def _at(self, **more: Any) -> dict[str, Any]:
        return {"item_id": self.shown["id"], "output_index": self.place, **more}


class Message(Item):
    """What the model says: parts of text, or a refusal."""

    def __init__(self, item_id: str) -> None:
        super().__init__(item_id, "message", role="assistant", content=[])
        self._pieces: list[str] = []
        self._logprobs: list[Any] = []

    def say(self, text: str, logprobs: list[Any], emit: Emit) -> None:
        """Add text."""
        at = self._part({"type": "output_text", "text": "", "annotations": [], "logprobs": []}, emit)
        self._pieces.append(text)
        self._logprobs += logprobs
        emit("response.output_text.delta", **at, delta=text, logprobs=logprobs)

    def refuse(self, text: str, emit: Emit) -> None:
        """Add to a refusal."""
        at = self._part({"type": "refusal", "refusal": ""}, emit)
        self._pieces.append(text)
        emit("response.refusal.delta", **at, delta=text)

    def settle(self) -> None:
        parts = self.shown["content"]
        if parts:
            name = "text" if parts[-1]["type"] == "output_text" else "refusal"
            parts[-1] = {**parts[-1], name: "".join(self._pieces)}
            if self._logprobs:
                parts[-1]["logprobs"] = list(self._logprobs)

    def close(self, emit: Emit) -> None:
        parts = self.shown["content"]
        if not parts:
            return
        at, part = self._at(content_index=len(parts) - 1), parts[-1]
        if part["type"] == "output_text":
            emit("response.output_text.done", **at, text=part["text"], logprobs=part["logprobs"])
        else:
            emit("response.refusal.done", **at, refusal=part["refusal"])
        emit("response.content_part.done", **at, part=part)

    def _part(self, new: dict[str, Any], emit: Emit) -> dict[str, Any]:
        """Where the open part stands, once it is of this type."""
        parts = self.shown["content"]
        if not parts or parts[-1]["type"] != new["type"]:
            self.settle()
            self.close(emit)
            self._pieces, self._logprobs = [], []
            self.shown["content"] = parts = [*parts, new]
            emit("response.content_part.added", **self._at(content_index=len(parts) - 1), part=new)
        return self._at(content_index=len(parts) - 1)


class Call(Item):
    """A function that the model wants called."""

    def __init__(self, item_id: str, call_id: str, name: str) -> None:
        super().__init__(item_id, "function_call", call_id=call_id, name=name, arguments="")
        self._pieces: list[str] = []

    def say(self, arguments: str, emit: Emit) -> None:
        """Add to the arguments."""
        if arguments:
            self._pieces.append(arguments)
            emit("response.function_call_arguments.delta", **self._at(), delta=arguments)

    def settle(self) -> None:
        self.shown["arguments"] = "".join(self._pieces)

    def close(self, emit: Emit) -> None:
        shown = self.shown
        emit("response.function_call_arguments.done", **self._at(), name=shown["name"], arguments=shown["arguments"])


class Thought(Item):
    """What the model thought, where its provider shows that."""

    def __init__(self, item_id: str) -> None:
        super().__init__(item_id, "reasoning", summary=[], content=[])
        self._pieces: list[str] = []

    def say(self, text: str, emit: Emit) -> None:
        """Add a thought."""
        if not self.shown["content"]:
            part = {"type": "reasoning_text", "text": ""}
            self.shown["content"] = [part]
            emit("response.content_part.added", **self._at(content_index=0), part=part)
        self._pieces.append(text)
        emit("response.reasoning_text.delta", **self._at(content_index=0), delta=text)

    def settle(self) -> None:
        if self.shown["content"]:
            self.shown["content"] = [{"type": "reasoning_text", "text": "".join(self._pieces)}]

    def close(self, emit: Emit) -> None:
        part = self.shown["content"][-1]
        emit("response.reasoning_text.done", **self._at(content_index=0), text=part["text"])
        emit("response.content_part.done", **self._at(content_index=0), part=part)
