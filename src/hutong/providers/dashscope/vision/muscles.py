"""Soft movements of the skin: brows, cheeks, corners of the mouth, each a smooth displacement around some landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hutong.providers.dashscope.vision.motions import Pose
from hutong.providers.dashscope.vision.networks import Array
from hutong.providers.dashscope.vision.portrait import Portrait


@dataclass(frozen=True)
class Pull:
    """Skin near a landmark moves along (across, down) by that many face heights; `reach` is the Gaussian's sigma."""

    landmark: int
    across: float
    down: float
    reach: float


def _mirrored(*pulls: tuple[int, int, float, float, float]) -> tuple[Pull, ...]:
    """(left landmark, right landmark, outward, down, reach) for both halves of the face."""
    left = [Pull(one, -outward, down, reach) for one, _, outward, down, reach in pulls]
    right = [Pull(other, outward, down, reach) for _, other, outward, down, reach in pulls]
    return (*left, *right)


LEFT_BROW = (Pull(105, 0, -0.045, 0.07), Pull(107, 0, -0.02, 0.055), Pull(70, 0, -0.02, 0.06))
RIGHT_BROW = (Pull(334, 0, -0.045, 0.07), Pull(336, 0, -0.02, 0.055), Pull(300, 0, -0.02, 0.06))
LEFT_GRIN = (Pull(61, -0.035, -0.055, 0.075), Pull(205, -0.01, -0.03, 0.09))
RIGHT_GRIN = (Pull(291, 0.035, -0.055, 0.075), Pull(425, 0.01, -0.03, 0.09))

MUSCLES: dict[str, tuple[Pull, ...]] = {
    "brow_left": LEFT_BROW,
    "brow_right": RIGHT_BROW,
    "furrow": _mirrored((107, 336, -0.022, 0.04, 0.055), (105, 334, -0.006, 0.01, 0.06)),
    "sorrow": _mirrored((107, 336, -0.012, -0.045, 0.055), (70, 300, 0.0, 0.02, 0.06)),
    "grin_left": LEFT_GRIN,
    "grin_right": RIGHT_GRIN,
    "frown": (*_mirrored((61, 291, 0.0, 0.06, 0.07), (205, 425, 0.0, 0.012, 0.08)), Pull(17, 0, -0.018, 0.06)),
    "pucker": (*_mirrored((61, 291, -0.055, 0.0, 0.06)), Pull(0, 0, -0.012, 0.045), Pull(17, 0, 0.016, 0.045)),
    "press": (*_mirrored((61, 291, 0.012, 0.006, 0.06)), Pull(0, 0, 0.014, 0.04), Pull(17, 0, -0.014, 0.04)),
    "jaw": (Pull(17, 0.05, 0, 0.1), Pull(152, 0.045, 0, 0.14), Pull(13, 0.02, 0, 0.08)),
    "puff": _mirrored((187, 411, 0.05, 0.01, 0.1)),
    "sneer": _mirrored((129, 358, 0.006, -0.026, 0.05), (37, 267, 0.004, -0.026, 0.05), (55, 285, -0.01, 0.012, 0.05)),
}


COARSE = 4
"""Skin moves smoothly: the fields are kept at a quarter of the resolution."""


class Muscles:
    """Displacement fields of one face, ready to be mixed."""

    def __init__(self, portrait: Portrait, points: Array) -> None:
        """`points` float32 [H, W, 2] are the texture coordinates the fields are wanted at."""
        self._portrait = portrait
        self._grinning = _grin(portrait)
        self._size = points.shape[1::-1]
        coarse = (max(2, self._size[0] // COARSE), max(2, self._size[1] // COARSE))
        sparse = np.asarray(cv2.resize(points, coarse, interpolation=cv2.INTER_AREA))
        self._fields = {name: self._field(pulls, sparse) for name, pulls in MUSCLES.items()}

    def _field(self, pulls: tuple[Pull, ...], points: Array) -> Array:
        height, across, down = self._portrait.height, self._portrait.across, self._portrait.down
        field = np.zeros_like(points)
        for pull in pulls:
            away = points - self._portrait.mesh[pull.landmark, :2]
            near = np.exp(-(away**2).sum(axis=-1) / (2 * (pull.reach * height) ** 2))
            field += near[..., None] * ((pull.across * across + pull.down * down) * height).astype(np.float32)
        return field

    def mixed(self, pose: Pose) -> Array:
        """How far the skin seen at each point has come, float32 [H, W, 2] in pixels."""
        total = np.zeros_like(self._fields["jaw"])
        for name, strength in strengths(pose, self._grinning).items():
            if abs(strength) > 1e-3:
                total += self._fields[name] * np.float32(strength)
        return np.asarray(cv2.resize(total, self._size, interpolation=cv2.INTER_LINEAR), np.float32)


def _grin(portrait: Portrait) -> float:
    """How broadly the photo smiles already, 0–1, from the mouth's width between the outer corners of the eyes."""
    mesh = portrait.mesh[:, :2]
    width = np.linalg.norm(mesh[291] - mesh[61]) / max(float(np.linalg.norm(mesh[263] - mesh[33])), 1.0)
    return float(np.clip((width - 0.56) / 0.16, 0, 1))


def strengths(pose: Pose, grinning: float = 0.0) -> dict[str, float]:
    """The pose in terms of single muscles; a face that smiles in the photo must be pulled further to look sad."""
    sad = max(-pose.smile, 0.0)
    grin = max(pose.smile, 0.0)
    return {
        "brow_left": pose.brow_left,
        "brow_right": pose.brow_right,
        "furrow": max(pose.furrow, 0.0),
        "sorrow": max(-pose.furrow, 0.0),
        "grin_left": grin + max(-pose.smirk, 0.0),
        "grin_right": grin + max(pose.smirk, 0.0),
        "frown": sad * (1.0 + 0.15 * grinning),
        "pucker": pose.pucker + 0.35 * max(pose.mouth, 0.0) + (0.35 * sad + 0.5 * max(-pose.mouth, 0.0)) * grinning,
        "press": max(-pose.mouth, 0.0),
        "jaw": pose.jaw,
        "puff": pose.puff,
        "sneer": pose.sneer,
    }
