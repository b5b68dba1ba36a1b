"""What apps ask of model providers, in no vendor's words."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hutong.kernel.gateway.chats import Chats
from hutong.kernel.gateway.slots import Lane

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels of the picture."""


class Refusal(StrEnum):
    """Why a picture is not accepted."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    VIOLATION = "violation"
    FACE_UNSUITABLE = "face_unsuitable"
    PICTURE_UNSUITABLE = "picture_unsuitable"


@dataclass(frozen=True, slots=True)
class FaceVerdict:
    """The outcome of looking at a picture: both boxes when it passed, otherwise why not and the vendor's own code.

    It is the content verdict too: `Refusal.VIOLATION` is the provider's moderation speaking.
    """

    face_bbox: Box | None = None
    ext_bbox: Box | None = None
    refusal: Refusal | None = None
    vendor_code: str = ""

    @property
    def passed(self) -> bool:
        return self.refusal is None


class FaceDetection(Protocol):
    """Finds the one face in a picture and refuses pictures that show none, several or something forbidden."""

    async def detect(self, image_url: str) -> FaceVerdict:
        """Look at the picture behind a public link.

        Raises:
            ProviderFailed: one of its subclasses; there is no verdict.
        """
        ...


class VideoState(StrEnum):
    """Where a remote generation stands. LOST: the provider knows nothing of it (any more)."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """One generation: the picture's link, the template and the boxes that detection gave."""

    image_url: str
    driven_id: str
    face_bbox: Box
    ext_bbox: Box


@dataclass(frozen=True, slots=True)
class VideoProgress:
    """What the provider says of a generation. `video_url` only when it succeeded, `seconds` are those billed."""

    state: VideoState
    video_url: str | None = None
    seconds: int = 0
    vendor_code: str = ""
    message: str = ""


class ImageToVideo(Protocol):
    """Makes a short video from a picture, asynchronously."""

    async def submit(self, request: VideoRequest) -> str:
        """Start a generation and return the provider's id of it. Not idempotent: each call may cost.

        Raises:
            AnswerLost: it may have been accepted all the same.
            ProviderFailed: another subclass; nothing was accepted.
        """
        ...

    async def query(self, remote_id: str) -> VideoProgress:
        """How a generation stands.

        Raises:
            ProviderFailed: no word this time; ask later.
        """
        ...

    async def cancel(self, remote_id: str) -> None:
        """Ask the provider to drop a generation that has not begun; failures do not matter."""
        ...

    async def fetch(self, video_url: str) -> bytes:
        """Download a finished video.

        Raises:
            ProviderFailed: it could not be had this time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Gateway:
    """The providers that this installation uses, and what they allow.

    Args:
        faces, videos: the ports.
        video_lane: how much the video provider takes at once and a second.
        poll_seconds: sensible time between two queries of one generation.
        refusal_of: what a provider's code says about the picture, None if it is about something else.
        chats: the chat models.
    """

    faces: FaceDetection
    videos: ImageToVideo
    video_lane: Lane
    poll_seconds: float
    refusal_of: Callable[[str], Refusal | None]
    chats: Chats
