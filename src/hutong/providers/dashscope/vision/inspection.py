"""The vendor's check of a photo before a video may be ordered (emoji-detect-v1): passed with two boxes, or refused."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from hutong.providers.dashscope.vision.faces import Box, Face, shared_finder
from hutong.providers.dashscope.vision.networks import Image
from hutong.providers.dashscope.vision.portrait import upright_rgb

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MAX_BYTES = 10 * 1024 * 1024
MIN_SIDE, MAX_SIDE = 400, 7000
"""Vendor limits: width and height each 400–7000 px, at most 10 MB."""

MIN_FACE = 64
MIN_FACE_SHARE = 0.08
"""A face under 64 px, or under 8 % of the picture's shorter side, is too far away to animate."""
SPECK = 0.3
"""Other faces smaller than this share of the main one are passers-by in the background and do not count."""
CUT_OFF = 0.03
"""Share of the mesh that may lie outside the picture: more means that the frame cuts the face off."""
MAX_YAW, MAX_PITCH, MAX_ROLL = 32.0, 30.0, 25.0
"""Degrees from a frontal, upright head."""
DARK = 45.0
"""A face whose brightest tenth of pixels stays under this luma (0–255) is too dark."""
PITCH_AT_REST = 7.0
"""What the mesh measures from hairline to chin on a level head."""
HEAD_SIDE = 2.15
"""Side of ext_bbox in units of the face box."""


@dataclass(frozen=True)
class Passed:
    """One good face; boxes are [x1, y1, x2, y2] in integer pixels of the upright picture."""

    face_bbox: Box
    ext_bbox: Box


@dataclass(frozen=True)
class Refused:
    """Why the vendor would not animate the picture: a code of its list (`InvalidFile.*`) and a message."""

    code: str
    message: str


class _RefusalError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.refused = Refused(f"InvalidFile.{code}", message)


def inspect_image(data: bytes) -> Passed | Refused:
    """Checks a picture the way the vendor's face-detect call does (help.aliyun.com, 表情包Emoji 图像检测).

    Never raises for a bad picture. The EXIF orientation is applied before anything is measured. Codes: Size, Format,
    Openerror, Resolution (from the header, before decoding), NoHuman, MultiHuman, FullFace (cut off by the frame or too
    small), FacePose, Value (too dark).
    """
    try:
        _check_header(data)
        rgb = _decoded(data)
        face = _only_face(rgb)
        _check_face(rgb, face)
    except _RefusalError as refusal:
        return refusal.refused
    return Passed(face.box, head_square(face, rgb.shape[1], rgb.shape[0]))


def _check_header(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise _RefusalError("Size", "The image is larger than 10 MB.")
    try:
        with Pictures.open(io.BytesIO(data)) as opened:
            kind, (width, height) = opened.format, opened.size
    except UnidentifiedImageError:
        raise _RefusalError("Format", "The image format is not one of JPEG, PNG, BMP, WEBP.") from None
    except (OSError, ValueError, SyntaxError, Pictures.DecompressionBombError):
        raise _RefusalError("Openerror", "The image cannot be opened.") from None
    if kind not in FORMATS:
        raise _RefusalError("Format", "The image format is not one of JPEG, PNG, BMP, WEBP.")
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise _RefusalError("Resolution", f"The image is {width}x{height}; each side must be 400 to 7000 pixels.")


def _decoded(data: bytes) -> Image:
    try:
        return upright_rgb(data)
    except (OSError, ValueError, SyntaxError, MemoryError):
        raise _RefusalError("Openerror", "The image cannot be opened.") from None


def _only_face(rgb: Image) -> Face:
    faces = shared_finder().find(rgb)
    if not faces:
        raise _RefusalError("NoHuman", "No human face is detected.")
    if sum(face.side >= SPECK * faces[0].side for face in faces) > 1:
        raise _RefusalError("MultiHuman", "More than one person is detected.")
    return faces[0]


def _check_face(rgb: Image, face: Face) -> None:
    height, width = rgb.shape[:2]
    if face.side < max(MIN_FACE, MIN_FACE_SHARE * min(width, height)):
        raise _RefusalError("FullFace", "The face is too small.")
    outside = ((face.landmarks < 0) | (face.landmarks >= [width, height])).any(axis=1)
    if float(outside.mean()) > CUT_OFF:
        raise _RefusalError("FullFace", "The face is not completely inside the image.")
    yaw, pitch, roll = head_angles(face)
    if abs(yaw) > MAX_YAW or abs(pitch) > MAX_PITCH or abs(roll) > MAX_ROLL:
        raise _RefusalError("FacePose", "The face must be frontal and upright.")
    if _brightest(rgb, face.box) < DARK:
        raise _RefusalError("Value", "The image is too dark.")


def _brightest(rgb: Image, box: Box) -> float:
    x1, y1, x2, y2 = box
    luma = cv2.cvtColor(rgb[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY)
    return float(np.percentile(luma, 90))


def head_angles(face: Face) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, all 0 for a head that looks straight into the camera."""
    across = face.mesh[454] - face.mesh[234]
    eyes = face.mesh[263, :2] - face.mesh[33, :2]
    down = face.mesh[152] - face.mesh[10]
    length = float(np.linalg.norm(down[:2]))
    yaw = np.degrees(np.arctan2(across[2], np.linalg.norm(across[:2])))
    pitch = np.degrees(np.arctan2(down[2], length)) - PITCH_AT_REST
    roll = np.degrees(np.arctan2(eyes[1], eyes[0]))
    return float(yaw), float(pitch), float(roll)


def head_square(face: Face, width: int, height: int) -> Box:
    """The region the video shows: a square with hair and shoulders, shrunk and moved to stay inside the picture."""
    middle = (face.landmarks.min(axis=0) + face.landmarks.max(axis=0)) / 2
    side = int(min(HEAD_SIDE * face.side, width, height))
    x = int(np.clip(middle[0] - side / 2, 0, width - side))
    y = int(np.clip(middle[1] - 0.55 * side, 0, height - side))
    return x, y, x + side, y + side
