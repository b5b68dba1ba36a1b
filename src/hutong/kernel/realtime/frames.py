"""The frames that clients send: JSON objects of known types, checked strictly; what is wrong with one is told in a frame.

Text frames and binary frames that hold UTF-8 are the same. A text frame that is no UTF-8 ends its socket with 1007, and one
that is larger than the wire takes with 1009: RFC 6455 §8.1, §7.4.1; the server does that before anybody here sees it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from hutong.kernel.http.strict import BodyMalformed, FieldProblem, FieldsInvalid, StrictModel, parse_json
from hutong.kit.errors import HutongError, InvalidInput, TooLarge
from hutong.kit.text import shorten

LONGEST_ID = 64
LONGEST_PATH = 128


class FrameTooLarge(TooLarge):
    """This frame is too large."""

    code = "socket.frame_too_large"


class FrameNotText(InvalidInput):
    """A frame has to be JSON in UTF-8."""

    code = "socket.frame_not_text"


class FrameNotJson(InvalidInput):
    """A frame has to be one JSON object."""

    code = "socket.frame_not_json"


class FrameUnknown(InvalidInput):
    """There is no frame of this type."""

    code = "socket.frame_unknown"


class FrameInvalid(FieldsInvalid):
    """Fields of this frame are not valid."""

    code = "socket.frame_invalid"


class Frame(StrictModel):
    """The base of every frame; subclasses narrow `type` to a literal.

    Args:
        type: says which frame it is.
        id: the client's own mark, repeated in what answers this frame.
    """

    type: str
    id: str | None = Field(None, max_length=LONGEST_ID)


class Hello(Frame):
    """The first frame: who is it? A token, or a ticket."""

    type: Literal["hello"]
    token: str | None = Field(None, max_length=8192)
    ticket: str | None = Field(None, max_length=128)


class Ping(Frame):
    """Is somebody there? For clients that cannot see the wire's own pings."""

    type: Literal["ping"]


class Frames:
    """The frames that may come.

    Args:
        kinds: subclasses of `Frame`; their `type`s are the words that are known.
        largest: bytes of a frame.
    """

    def __init__(self, kinds: Sequence[type[Frame]], largest: int) -> None:
        self._largest = largest
        self._types = sorted(word for kind in kinds for word in kind.model_fields["type"].annotation.__args__)  # type: ignore[union-attr]
        union: Any = kinds[0] if len(kinds) == 1 else Annotated[Union[tuple(kinds)], Field(discriminator="type")]  # noqa: UP007 - made at run time
        self._adapter: TypeAdapter[Frame] = TypeAdapter(union)

    def parse(self, content: str | bytes) -> Frame:
        """The frame in a message.

        Raises:
            FrameTooLarge, FrameNotText, FrameNotJson, FrameUnknown, FrameInvalid.
        """
        found = self._object(content)
        if found.get("type") not in self._types:
            raise FrameUnknown(details={"types": self._types})
        try:
            return self._adapter.validate_python(found)
        except ValidationError as error:
            raise FrameInvalid([_problem(item) for item in error.errors()]) from error

    def _object(self, content: str | bytes) -> dict[str, Any]:
        body = content.encode(errors="surrogatepass") if isinstance(content, str) else content
        if len(body) > self._largest:
            raise FrameTooLarge(details={"largest_bytes": self._largest})
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise FrameNotText from error
        try:
            found = parse_json(body)
        except BodyMalformed as error:
            raise FrameNotJson(error.message.replace("The body", "The frame")) from error
        if not isinstance(found, dict):
            raise FrameNotJson
        return found


def id_of(content: str | bytes) -> str | None:
    """The client's mark in a frame that was refused, if it can be found."""
    try:
        found = orjson.loads(content)
    except ValueError:
        return None
    mark = found.get("id") if isinstance(found, dict) else None
    return mark if isinstance(mark, str) and len(mark) <= LONGEST_ID else None


def text_of(frame: Mapping[str, Any]) -> str:
    """A frame as it is sent; made once for all sockets that get it."""
    return orjson.dumps(frame).decode()


def error_frame(error: HutongError, answers: str | None = None) -> dict[str, Any]:
    """How an error is told on a socket."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    if error.retry_after is not None:
        body["retry_after"] = error.retry_after
    return {"type": "error", "error": body, **({"id": answers} if answers is not None else {})}


def _problem(item: Mapping[str, Any]) -> FieldProblem:
    field = shorten(".".join(map(str, item["loc"][1:])), LONGEST_PATH) or "frame"
    context = {name: value for name, value in (item.get("ctx") or {}).items() if isinstance(value, (int, float, str))}
    return FieldProblem(field, item["type"], item["msg"].removeprefix("Value error, "), context)
