"""What runs and glows on a face: tears, wet eyes, a blush; painted over the skin, so it moves with it."""

from __future__ import annotations

import cv2
import numpy as np

from hutong.providers.dashscope.vision.motions import Pose
from hutong.providers.dashscope.vision.networks import Array, Image
from hutong.providers.dashscope.vision.portrait import Portrait

TRACKS = ((145, 50, 172), (374, 280, 397))
"""Under the eye, over the cheek, to the jaw: the way of a tear on each side."""


class Emotion:
    """The overlays of one face within the painted region, whose upper left corner is at `corner`."""

    def __init__(self, portrait: Portrait, points: Array, corner: tuple[int, int]) -> None:
        self._mesh = portrait.mesh[:, :2] - np.array(corner, np.float32)
        self._height = portrait.height
        self._blush = self._cheeks(portrait, points)

    def _cheeks(self, portrait: Portrait, points: Array) -> Array:
        glow = np.zeros(points.shape[:2], np.float32)
        for landmark in (50, 280):
            away = points - portrait.mesh[landmark, :2]
            glow += np.exp(-(away**2).sum(axis=-1) / (2 * (0.085 * portrait.height) ** 2))
        return np.minimum(glow, 1.0)[..., None]

    def paint(self, image: Image, pose: Pose) -> None:
        """Adds to `image` what the pose asks for."""
        if pose.blush > 0.01:
            strength = self._blush * (0.3 * pose.blush)
            rosy = image * np.array([1.06, 0.72, 0.72], np.float32) + np.array([18, 0, 4], np.float32)
            image[:] = np.clip(image * (1 - strength) + rosy * strength, 0, 255).astype(np.uint8)
        if pose.wet > 0.01:
            self._glisten(image, pose.wet * (1 - 0.8 * max(0.0, pose.lid_left, pose.lid_right)))
        if pose.tears > 0.01:
            for side, track in enumerate(TRACKS):
                self._tear(image, track, pose.tears, 0.12 * side)

    def _path(self, track: tuple[int, int, int]) -> Array:
        start, bend, end = self._mesh[list(track)]
        share = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
        bend = bend * 0.8 + (start + end) / 2 * 0.2
        return np.asarray((1 - share) ** 2 * start + 2 * share * (1 - share) * bend + share**2 * end, np.float32)

    def _tear(self, image: Image, track: tuple[int, int, int], progress: float, delay: float) -> None:
        run = float(np.clip((progress - delay) / (1 - delay), 0, 1))
        if run <= 0.02:
            return
        path = self._path(track)[: max(2, int(40 * run))]
        width = max(1, round(0.012 * self._height))
        streak, drop = np.zeros(image.shape[:2], np.uint8), np.zeros(image.shape[:2], np.uint8)
        cv2.polylines(streak, [np.round(path * 8).astype(np.int32)], False, 255, width, cv2.LINE_AA, 3)
        x, y = np.round(path[-1] * 8).astype(int)
        radius = 0.019 * self._height
        cv2.ellipse(
            drop, (int(x), int(y)), (int(radius * 8), int(radius * 1.6 * 8)), 0, 0, 360, 255, -1, cv2.LINE_AA, 3
        )
        self._water(image, np.asarray(streak, np.uint8), 0.42)
        self._water(image, np.asarray(drop, np.uint8), 0.85)

    def _water(self, image: Image, shape: Image, strength: float) -> None:
        """Brightens with a bluish tint, dark at one rim and light at the other, as a lens of water is."""
        body = cv2.GaussianBlur(shape, (0, 0), 0.9).astype(np.float32) / 255
        relief = cv2.GaussianBlur(shape, (0, 0), 2.2).astype(np.float32) / 255
        light = np.clip(np.roll(relief, (2, 2), (0, 1)) - np.roll(relief, (-2, -2), (0, 1)), -1, 1)[..., None]
        tinted = image * 0.72 + np.array([52, 64, 74], np.float32) + light * -85
        cover = body[..., None] * strength
        image[:] = np.clip(image * (1 - cover) + tinted * cover, 0, 255).astype(np.uint8)

    def _glisten(self, image: Image, wet: float) -> None:
        """A rim of water on the lower lids."""
        rim = np.zeros(image.shape[:2], np.uint8)
        for lid in ((163, 144, 145, 153, 154), (381, 380, 374, 373, 390)):
            line = np.round((self._mesh[list(lid)] - [0, 0.006 * self._height]) * 8).astype(np.int32)
            cv2.polylines(rim, [line], False, 255, max(1, round(0.008 * self._height)), cv2.LINE_AA, 3)
        cover = cv2.GaussianBlur(rim, (0, 0), 0.8).astype(np.float32)[..., None] / 255 * (0.45 * wet)
        image[:] = np.clip(image * (1 - cover) + np.array([238, 244, 252], np.float32) * cover, 0, 255).astype(np.uint8)
