"""What the sandbox needs from whoever looks at pictures."""

from typing import Literal, NotRequired, Protocol, TypedDict

Box = tuple[int, int, int, int]
"""(x1, y1, x2, y2) in pixels of the submitted picture, top left and bottom right."""


class Inspection(TypedDict):
    """Outcome of looking at a picture: two boxes when it passed, the vendor's code and message when it did not."""

    passed: bool
    face_bbox: NotRequired[list[int]]
    ext_bbox: NotRequired[list[int]]
    code: NotRequired[str]
    message: NotRequired[str]


class VisionRefused(Exception):
    """The picture or the order cannot be rendered; `code` is one of the vendor's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class VisionUnavailable(Exception):
    """Nobody looks at pictures at present; the message says what to do."""


class Vision(Protocol):
    """Finds faces and animates them."""

    async def inspect(self, image: bytes) -> Inspection:
        """Check a picture as emoji-detect-v1 does.

        Raises:
            VisionUnavailable: the vision process cannot be reached or started.
        """
        ...

    async def render(self, image: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box) -> tuple[bytes, float]:
        """Animate the face in `face_bbox`; the answer is an MP4 file and its length in seconds.

        Raises:
            VisionRefused: the template does not exist or there is no face in the box.
            VisionUnavailable: the vision process cannot be reached or started.
        """
        ...


Call = Literal["detect", "create", "query"]
"""The three kinds of API call that have a rate of their own; lists and cancellations count as queries."""

CALLS: tuple[Call, ...] = ("detect", "create", "query")
