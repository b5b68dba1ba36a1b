"""The head as a shallow solid: turns, nods and tilts on its neck in front of a backdrop that stays where it is."""

from __future__ import annotations

import cv2
import numpy as np

from hutong.providers.dashscope.vision.motions import Pose
from hutong.providers.dashscope.vision.networks import Array, Image
from hutong.providers.dashscope.vision.portrait import MARGIN, OUTPUT, TEXTURE, Portrait

COARSE = 4
"""Head movement is smooth: its field is computed at a quarter of the resolution."""


FOLLOW = 0.5
"""Share of the head's movement that the backdrop right behind it takes part in."""


class Head:
    """Head movement of one portrait."""

    def __init__(self, portrait: Portrait) -> None:
        self._portrait = portrait
        size = TEXTURE // COARSE
        grid = (
            np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32) + 0.5
        ) * COARSE - 0.5
        self._grid = grid
        mesh = portrait.mesh
        self._centre = ((mesh[234, :2] + mesh[454, :2]) / 2).astype(np.float32)
        self._pivot = (mesh[152, :2] + portrait.down * 0.12 * portrait.height).astype(np.float32)
        self._depth = self._depths(grid)
        self._weight = self._weights(grid)[..., None]

    def _own(self, points: Array) -> tuple[Array, Array]:
        away = (points - self._centre) / self._portrait.height
        return away @ self._portrait.across, away @ self._portrait.down

    def _depths(self, grid: Array) -> Array:
        """Nearness to the camera in pixels: the mesh's own relief, and an egg around it for hair and ears."""
        across, down = self._own(grid)
        radius = (across / 0.75) ** 2 + ((down + 0.1) / 0.95) ** 2
        egg = (np.sqrt(np.clip(1 - radius, 0, 1)) * 0.5 - 0.25) * self._portrait.height
        sparse = grid[::4, ::4]
        points, relief = self._portrait.mesh[:, :2], -self._portrait.mesh[:, 2]
        away = ((sparse.reshape(-1, 1, 2) - points[None]) ** 2).sum(axis=-1)
        near = np.exp(-away / (2 * (0.07 * self._portrait.height) ** 2))
        total = near.sum(axis=1)
        trust = np.clip(total / 6.0, 0, 1).reshape(sparse.shape[:2])
        mesh = ((near @ relief) / np.maximum(total, 1e-6)).reshape(sparse.shape[:2])
        depth = mesh * trust + egg[::4, ::4] * (1 - trust)
        return np.asarray(cv2.resize(depth, grid.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)

    def _weights(self, grid: Array) -> Array:
        """1 on the head, fading over the throat and to the sides."""
        across, down = self._own(grid)
        chin = float(self._own(self._portrait.mesh[152, :2])[1])
        throat = _fade((down - chin) / 0.55)
        return (throat * _fade((np.abs(across) - 0.75) / 0.6)).astype(np.float32)

    def _moved(self, pose: Pose) -> Array:
        """Forward displacement of every grid point, float32 [H, W, 2] in pixels."""
        height, across, down = self._portrait.height, self._portrait.across, self._portrait.down
        yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
        away = self._grid - self._centre
        x, y = away @ across, away @ down
        turned_x = x * np.cos(yaw) + self._depth * np.sin(yaw)
        turned_y = y * np.cos(pitch) + self._depth * np.sin(pitch)
        turned_y = turned_y + 0.12 * np.sin(pitch) * height
        point = self._centre + turned_x[..., None] * across + turned_y[..., None] * down
        from_pivot = point - self._pivot
        lean = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]], np.float32)
        size = np.array([1 - 0.5 * pose.stretch, 1 + pose.stretch], np.float32)
        moved = (from_pivot @ lean) * size + self._pivot + np.array([pose.shift, pose.bob], np.float32) * height
        return np.asarray((moved - self._grid) * self._weight, np.float32)

    def _sources(self, pose: Pose) -> Array:
        """For every grid point, the displacement back to where its picture comes from (fixed-point inversion)."""
        field = self._moved(pose)
        back = -field
        for _ in range(4):
            at = (self._grid + back + 0.5) / COARSE - 0.5
            back = -np.asarray(
                cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            )
        return back

    def _drag(self, away: Array) -> Array:
        """The backdrop follows the head a little, so that less of what it hides comes into view."""
        small = cv2.resize(away, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), 7) * FOLLOW, (OUTPUT, OUTPUT)), np.float32)

    def frame(self, painted: Image, pose: Pose) -> Image:
        """The 512×512 frame: `painted` (texture with expression) with head and camera moved."""
        back = np.asarray(cv2.resize(self._sources(pose), (TEXTURE, TEXTURE), interpolation=cv2.INTER_LINEAR))
        shown = _camera(pose)
        away = np.asarray(cv2.remap(back, shown[..., 0], shown[..., 1], cv2.INTER_LINEAR))
        source = shown + away
        person = _seen(painted, source, cv2.INTER_CUBIC)
        matte = np.asarray(cv2.remap(self._portrait.matte, source[..., 0], source[..., 1], cv2.INTER_LINEAR))
        behind = _seen(self._portrait.backdrop, shown + self._drag(away), cv2.INTER_LINEAR)
        return np.asarray(cv2.blendLinear(person, behind, matte, 1 - matte), np.uint8)


def _seen(texture: Image, at: Array, how: int) -> Image:
    return np.asarray(cv2.remap(texture, at[..., 0], at[..., 1], how, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _fade(share: Array) -> Array:
    """1 up to 0, then smoothly 0 from 1 on."""
    left = 1 - np.clip(share, 0, 1)
    return np.asarray(left * left * (3 - 2 * left), np.float32)


def _camera(pose: Pose) -> Array:
    """Texture coordinates of the output's pixels, float32 [512, 512, 2]."""
    pixels = np.arange(OUTPUT, dtype=np.float32)
    reach = (pixels - OUTPUT / 2) / np.float32(1 + pose.zoom) + OUTPUT / 2 + MARGIN
    return np.stack(np.meshgrid(reach, reach), axis=-1).astype(np.float32)
