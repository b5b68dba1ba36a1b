"""A photo prepared for animation: a square texture around the head, the mesh in it, the matte, the backdrop."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image as Pictures
from PIL import ImageOps

from hutong.providers.dashscope.vision.faces import Box, Face, shared_finder
from hutong.providers.dashscope.vision.networks import Array, Image, Network

OUTPUT = 512
"""Width and height of the vendor's videos."""
MARGIN = 64
"""Texture beyond the shown square on each side, so that a moving camera shows real picture."""
TEXTURE = OUTPUT + 2 * MARGIN


class FaceLostError(ValueError):
    """The picture shows no face inside the given face_bbox."""


@dataclass(frozen=True)
class Portrait:
    """Everything about the photo that stays the same in all frames; pixels are those of the texture."""

    texture: Image
    """uint8 [640, 640, 3]; the video shows the 512 pixels in the middle."""
    backdrop: Image
    """The texture with the person painted over by what is around."""
    matte: Array
    """float32 [640, 640], 1 where the person is."""
    mesh: Array
    """float32 [468, 3]."""

    @property
    def tilt(self) -> float:
        """Angle of the eyes' line in radians."""
        return float(np.arctan2(*(self.mesh[263, :2] - self.mesh[33, :2])[::-1]))

    @property
    def across(self) -> Array:
        """Unit vector along the eyes' line, to the picture's right."""
        return np.array([np.cos(self.tilt), np.sin(self.tilt)], np.float32)

    @property
    def down(self) -> Array:
        """Unit vector from the eyes to the chin."""
        return np.array([-np.sin(self.tilt), np.cos(self.tilt)], np.float32)

    @property
    def height(self) -> float:
        """Hairline to chin in pixels."""
        return float(np.linalg.norm(self.mesh[152, :2] - self.mesh[10, :2]))


def upright_rgb(data: bytes) -> Image:
    """Decodes a picture to uint8 [H, W, 3], turned as its EXIF orientation asks, transparency on white."""
    with Pictures.open(io.BytesIO(data)) as opened:
        turned = ImageOps.exif_transpose(opened)
        if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
            rgba = turned.convert("RGBA")
            turned = Pictures.alpha_composite(Pictures.new("RGBA", rgba.size, "white"), rgba)
        return np.asarray(turned.convert("RGB"), np.uint8)


def prepare(rgb: Image, face_bbox: Box, ext_bbox: Box) -> Portrait:
    """Cuts out ext_bbox (made square), finds the face of face_bbox in it and separates the person.

    Raises FaceLostError when there is no such face.
    """
    texture, scale, origin = _cut(rgb, ext_bbox)
    wanted = (np.array(face_bbox, np.float32).reshape(2, 2) - origin) * scale
    face = _face_at(texture, wanted)
    matte = _matte(texture, face)
    return Portrait(texture, _backdrop(texture, matte), matte, face.mesh)


def _cut(rgb: Image, ext_bbox: Box) -> tuple[Image, float, Array]:
    x1, y1, x2, y2 = ext_bbox
    side = float(max(x2 - x1, y2 - y1, 1))
    scale = OUTPUT / side
    origin = np.array([(x1 + x2) / 2, (y1 + y2) / 2], np.float32) - TEXTURE / scale / 2
    if scale < 0.5:
        factor = 0.5 / scale
        small = (round(rgb.shape[1] / factor), round(rgb.shape[0] / factor))
        rgb = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
        inner, shift = 0.5, origin / factor
    else:
        inner, shift = scale, origin
    turn = np.array([[1 / inner, 0, shift[0]], [0, 1 / inner, shift[1]]], np.float32)
    flags = (cv2.INTER_LANCZOS4 if inner > 1 else cv2.INTER_AREA) | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(rgb, turn, (TEXTURE, TEXTURE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return _sharpened(np.asarray(cut, np.uint8), inner), scale, origin


def _sharpened(cut: Image, enlarged: float) -> Image:
    """Unsharp mask, stronger for pictures that had to be enlarged."""
    amount = float(np.clip(0.25 * (enlarged - 0.8), 0.0, 0.6))
    if not amount:
        return cut
    soft = cv2.GaussianBlur(cut, (0, 0), 1.2 + 0.4 * min(enlarged, 3.0))
    return np.asarray(cv2.addWeighted(cut, 1 + amount, soft, -amount, 0), np.uint8)


def _face_at(texture: Image, wanted: Array) -> Face:
    centre, reach = wanted.mean(axis=0), float(np.ptp(wanted, axis=0).max())
    best, nearest = None, reach * 0.6
    for face in shared_finder().find(texture):
        distance = float(np.linalg.norm(np.array(face.box, np.float32).reshape(2, 2).mean(axis=0) - centre))
        if distance < nearest:
            best, nearest = face, distance
    if best is None:
        raise FaceLostError("no face in face_bbox")
    return best


@lru_cache(maxsize=1)
def _segmenter() -> Network:
    return Network("selfie_segmentation.tflite")


def _matte(texture: Image, face: Face) -> Array:
    """The person's silhouette; all ones when the network does not see the face as a person (drawings, statues)."""
    small = cv2.resize(texture, (256, 256), interpolation=cv2.INTER_AREA)
    raw = _segmenter().run((np.asarray(small, np.float32) / 255.0)[None])[0][0, :, :, 0]
    inside = np.zeros((TEXTURE, TEXTURE), np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(face.landmarks.astype(np.int32)), 1)
    # The network's edge is ragged at the pixel level: median and blur first, then the ramp that makes it an edge again.
    soft = cv2.resize(cv2.medianBlur(raw, 5), (TEXTURE, TEXTURE), interpolation=cv2.INTER_LINEAR)
    soft = np.asarray(cv2.GaussianBlur(np.maximum(soft, inside), (0, 0), 3.5), np.float32)
    if float(soft[inside == 1].mean()) < 0.5 or float(raw.mean()) < 0.03:
        return np.ones((TEXTURE, TEXTURE), np.float32)
    return np.asarray(_largest_part(np.clip((soft - 0.12) / 0.5, 0.0, 1.0), face), np.float32)


def _largest_part(matte: Array, face: Face) -> Array:
    """Drops islands, such as other people, that do not touch the face."""
    _, labels = cv2.connectedComponents((matte > 0.02).astype(np.uint8))
    x, y = np.clip(face.landmarks[4].round().astype(int), 0, TEXTURE - 1)
    return np.asarray(np.where(labels == labels[y, x], matte, 0.0) if labels[y, x] else matte)


def _backdrop(texture: Image, matte: Array) -> Image:
    """Paints the person over from the surroundings, at a quarter of the size; only the rim is ever uncovered."""
    if float(matte.min()) > 0.5:
        return texture
    covered = np.asarray(cv2.dilate(matte, np.ones((9, 9), np.uint8)), np.float32)
    small = cv2.resize(texture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(covered, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) > 0.04).astype(np.uint8)
    filled = cv2.resize(
        cv2.inpaint(small, hole, 5, cv2.INPAINT_TELEA), (TEXTURE, TEXTURE), interpolation=cv2.INTER_CUBIC
    )
    clear = (1.0 - np.asarray(cv2.GaussianBlur(covered, (0, 0), 1.5), np.float32))[..., None]
    return np.asarray(texture * clear + np.asarray(filled, np.float32) * (1 - clear), np.uint8)
