"""A face with another expression: muscles, eyes, mouth and tears composed on the portrait, the head held still."""

from __future__ import annotations

import cv2
import numpy as np

from hutong.providers.dashscope.vision.eyes import LEFT, RIGHT, Eye
from hutong.providers.dashscope.vision.motions import Pose
from hutong.providers.dashscope.vision.mouth import Mouth
from hutong.providers.dashscope.vision.muscles import Muscles
from hutong.providers.dashscope.vision.networks import Array, Image
from hutong.providers.dashscope.vision.portrait import Portrait
from hutong.providers.dashscope.vision.tears import Emotion


class Expressions:
    """Paints poses on one portrait; everything that does not change from frame to frame is computed once."""

    def __init__(self, portrait: Portrait) -> None:
        self._portrait = portrait
        self._left, self._top, right, bottom = _region(portrait)
        columns, rows = np.arange(self._left, right), np.arange(self._top, bottom)
        self._points = np.stack(np.meshgrid(columns, rows), axis=-1).astype(np.float32)
        self._muscles = Muscles(portrait, self._points)
        self._mouth = Mouth(portrait)
        self._eyes = (Eye(portrait, LEFT), Eye(portrait, RIGHT))
        self._emotion = Emotion(portrait, self._points, (self._left, self._top))

    def paint(self, pose: Pose) -> Image:
        """The whole texture with the face in this pose."""
        texture = self._portrait.texture
        points = self._points - self._muscles.mixed(pose)
        face = np.asarray(
            cv2.remap(texture, points[..., 0], points[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101),
            np.uint8,
        )
        if pose.mouth > 0.01 or (pose.mouth < -0.01 and self._mouth.shows_teeth):
            self._open_mouth(face, points, pose.mouth)
        for eye, closed in zip(self._eyes, (pose.lid_left, pose.lid_right), strict=True):
            self._move_eye(face, points, eye, closed, pose)
        self._emotion.paint(face, pose)
        painted = texture.copy()
        painted[self._top : self._top + face.shape[0], self._left : self._left + face.shape[1]] = face
        return painted

    def _open_mouth(self, face: Image, points: Array, opened: float) -> None:
        window = self._window(self._mouth.corner, self._mouth.size)
        self._mouth.paint(face[window], self._portrait.texture, points[window], opened)

    def _window(self, corner: Array, size: tuple[int, int]) -> tuple[slice, slice]:
        x, y = int(corner[0]) - self._left, int(corner[1]) - self._top
        return slice(max(0, y), max(0, y + size[1])), slice(max(0, x), max(0, x + size[0]))

    def _move_eye(self, face: Image, points: Array, eye: Eye, closed: float, pose: Pose) -> None:
        if max(abs(closed), abs(pose.gaze_x), abs(pose.gaze_y)) < 0.01:
            return
        window = self._window(eye.corner, (eye.size, eye.size))
        if face[window].size:
            eye.paint(face[window], self._portrait.texture, points[window], closed, (pose.gaze_x, pose.gaze_y))


def _region(portrait: Portrait) -> tuple[int, int, int, int]:
    """The part of the texture that an expression can change: the face, its forehead and the throat."""
    low, high = portrait.mesh[:, :2].min(axis=0), portrait.mesh[:, :2].max(axis=0)
    margin = 0.28 * portrait.height
    limit = portrait.texture.shape[0]
    left, top = (max(0, int(value - margin)) for value in low)
    right = min(limit, int(high[0] + margin))
    bottom = min(limit, int(high[1] + 2.2 * margin))
    return left, top, max(right, left + 2), max(bottom, top + 2)
