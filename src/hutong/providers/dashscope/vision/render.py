"""From a photo and a template to the video the vendor would return: 512×512, H.264, 15 fps, silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from hutong.providers.dashscope.vision.expression import Expressions
from hutong.providers.dashscope.vision.faces import Box
from hutong.providers.dashscope.vision.head import Head
from hutong.providers.dashscope.vision.motions import FPS, Motion
from hutong.providers.dashscope.vision.networks import Image
from hutong.providers.dashscope.vision.portrait import OUTPUT, prepare, upright_rgb
from hutong.providers.dashscope.vision.templates import MOTIONS

Progress = Callable[[float], None]


class UnknownTemplateError(ValueError):
    """The driven_id is none of the vendor's twenty."""


@dataclass(frozen=True)
class VideoFacts:
    """What was written."""

    duration_s: float
    frames: int
    width: int
    height: int


def render_video(
    image: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box, out: Path, progress: Progress | None = None
) -> VideoFacts:
    """Animates the face of `image` after a template and writes an MP4 to `out` (vendor: emoji-v1, 图生表情包视频).

    Boxes are (x1, y1, x2, y2) pixels of the upright image as returned by inspection; `progress` hears 0–1.
    Raises UnknownTemplateError for a driven_id that does not exist, FaceLostError when face_bbox holds no face.
    """
    motion = template(driven_id)
    rendered = frames(upright_rgb(image), motion, face_bbox, ext_bbox)
    count = encode(rendered, out, motion.frames, progress or (lambda _: None))
    return VideoFacts(count / FPS, count, OUTPUT, OUTPUT)


def template(driven_id: str) -> Motion:
    """The template of that id; raises UnknownTemplateError."""
    motion = MOTIONS.get(driven_id)
    if motion is None:
        raise UnknownTemplateError(f"driven_id {driven_id!r} does not exist")
    return motion


def frames(rgb: Image, motion: Motion, face_bbox: Box, ext_bbox: Box, count: int | None = None) -> Iterator[Image]:
    """The frames uint8 [512, 512, 3] of one loop, all of them or `count` evenly spaced."""
    cv2.setNumThreads(1)
    portrait = prepare(rgb, face_bbox, ext_bbox)
    expressions, head = Expressions(portrait), Head(portrait)
    total = count or motion.frames
    for index in range(total):
        pose = motion.pose(index / total)
        yield head.frame(expressions.paint(pose), pose)


def encode(pictures: Iterator[Image], out: Path, total: int, progress: Progress) -> int:
    """Writes H.264 main profile, yuv420p, index at the front, which phones play while loading; returns the count."""
    options = {"crf": "20", "preset": "veryfast", "profile": "main", "threads": "1"}
    with av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width = stream.height = OUTPUT
        stream.pix_fmt = "yuv420p"
        count = 0
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
            count += 1
            progress(count / max(total, count))
        container.mux(stream.encode(None))
    return count
