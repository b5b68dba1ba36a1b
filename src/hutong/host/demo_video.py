"""Is a video real? Decodes it, checks what it should be, and makes a contact sheet of its frames."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

SIZE = 512
RATE = 15
SHORTEST, LONGEST = 2.0, 5.2
SHEET_COLUMNS, SHEET_ROWS, THUMB = 5, 2, 256
LEAST_MOTION = 1.5


class VideoLooksWrong(Exception):
    """The file is not the video that was ordered."""


class Video:
    """Decoded frames, as RGB arrays of 512×512×3 bytes, and what the container says."""

    def __init__(self, frames: list[Any], codec: str, rate: Fraction | None, seconds: float) -> None:
        self.frames, self.codec, self.rate, self.seconds = frames, codec, rate, seconds


def read_video(content: bytes) -> Video:
    """Decode an MP4.

    Raises:
        VideoLooksWrong: it cannot be decoded.
    """
    import av

    try:
        with av.open(io.BytesIO(content), "r") as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            rate = stream.average_rate
            return Video(frames, stream.codec_context.name, rate, len(frames) / float(rate or RATE))
    except (av.error.FFmpegError, IndexError) as error:
        raise VideoLooksWrong(f"it cannot be decoded: {error}") from error


def require_real(video: Video) -> None:
    """The ordered format, and a face that moves: the picture's middle changes more than its rim.

    Raises:
        VideoLooksWrong: naming what is wrong.
    """
    if video.codec != "h264" or video.frames[0].shape != (SIZE, SIZE, 3):
        raise VideoLooksWrong(f"{video.codec} of {video.frames[0].shape}, not h264 of {SIZE}×{SIZE}")
    if not SHORTEST <= video.seconds <= LONGEST or round(video.rate or 0) != RATE:
        raise VideoLooksWrong(f"{video.seconds:.1f} s at {video.rate} frames a second")
    middle, rim = motion(video)
    if middle < LEAST_MOTION or middle <= rim:
        raise VideoLooksWrong(f"the face hardly moves ({middle:.2f} in the middle, {rim:.2f} at the rim)")


def motion(video: Video) -> tuple[float, float]:
    """Largest mean change of brightness against the first frame, in the middle and at the rim (0..255)."""
    import numpy as np

    grey = [frame.astype(np.float32).mean(axis=2) for frame in video.frames]
    quarter = SIZE // 4
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    inside[quarter : SIZE - quarter, quarter : SIZE - quarter] = True
    edge = np.ones((SIZE, SIZE), dtype=bool)
    edge[32:-32, 32:-32] = False
    changes = [np.abs(frame - grey[0]) for frame in grey[1:]]
    return max(float(change[inside].mean()) for change in changes), max(
        float(change[edge].mean()) for change in changes
    )


def contact_sheet(video: Video, path: Path) -> None:
    """A PNG of ten frames spread over the video."""
    from PIL import Image

    count = SHEET_COLUMNS * SHEET_ROWS
    sheet = Image.new("RGB", (SHEET_COLUMNS * THUMB, SHEET_ROWS * THUMB))
    for place in range(count):
        frame = video.frames[place * (len(video.frames) - 1) // (count - 1)]
        spot = (place % SHEET_COLUMNS * THUMB, place // SHEET_COLUMNS * THUMB)
        sheet.paste(Image.fromarray(frame).resize((THUMB, THUMB), Image.Resampling.LANCZOS), spot)
    sheet.save(path)
