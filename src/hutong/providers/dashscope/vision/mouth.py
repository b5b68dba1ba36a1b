"""The mouth: a jaw that drops along the line between the lips, and what is seen behind them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hutong.providers.dashscope.vision.networks import Array, Image
from hutong.providers.dashscope.vision.portrait import Portrait

UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)


@dataclass(frozen=True)
class Parted:
    """Where both halves of the face come from when the mouth opens, in the mouth's own coordinates."""

    along: Array
    lower: Array
    upper: Array
    line: Array

    def within(self, window: tuple[slice, slice]) -> Parted:
        """The same for a part of the picture."""
        return Parted(self.along[window], self.lower[window], self.upper[window], self.line[window])


class Mouth:
    """Mouth coordinates: `along` (-1 to 1 between the corners) and `below` (pixels under the corners' line).

    The face is cut along the inner edge of the lower lip, so teeth that show in the photo stay with the upper jaw.
    """

    def __init__(self, portrait: Portrait) -> None:
        mesh = portrait.mesh[:, :2]
        first, last = mesh[61], mesh[291]
        self.centre = (first + last) / 2
        self.half = max(float(np.linalg.norm(last - first)) / 2, 3.0)
        self._across = (last - first) / (2 * self.half)
        self._down = np.array([-self._across[1], self._across[0]], np.float32)
        along, below = self._own(mesh[list(LOWER_INNER)])
        self._line = np.polyfit(along, below, 4).astype(np.float32)
        self._chin = max(float(self._own(mesh[[152]])[1][0] - np.polyval(self._line, 0)), 0.8 * self.half)
        gap = float(np.linalg.norm(mesh[14] - mesh[13]))
        self._gap = gap
        self.shows_teeth = gap > 0.16 * self.half
        self._full = min(max(0.95 * self.half - 0.5 * gap, 0.35 * self.half), 0.7 * self._chin)
        self._light = self._brightness(portrait)
        reach = np.array([2.15 * self.half, 2.1 * self._chin]).max()
        self.corner = np.floor(self.centre - [reach, 0.6 * self.half]).astype(int)
        self.size = (int(2 * reach) + 1, int(reach + 0.6 * self.half) + 1)
        """Upper left corner, width and height of what an opening mouth changes."""

    def _own(self, points: Array) -> tuple[Array, Array]:
        away = points - self.centre
        return away @ self._across / self.half, away @ self._down

    def _brightness(self, portrait: Portrait) -> Array:
        cheeks = portrait.mesh[[50, 280, 101, 330, 36, 266], :2].round().astype(int)
        inside = np.clip(cheeks, 0, portrait.texture.shape[0] - 1)
        skin = portrait.texture[inside[:, 1], inside[:, 0]].astype(np.float32).mean(axis=0)
        return np.asarray(np.clip(skin / np.array([205.0, 165.0, 145.0]), 0.25, 1.1), np.float32)

    def part(self, points: Array, opened: float) -> Parted:
        """Finds the sources of `points` [H, W, 2] for a jaw dropped by `opened` (1) or shut (-1)."""
        along, below = self._own(points)
        line = np.polyval(self._line, np.clip(along, -1, 1)).astype(np.float32)
        # Closing carries the lower lip over the teeth, as far as the lips are apart in the photo.
        drop = np.float32(opened * (self._full if opened > 0 else 1.05 * self._gap))
        lip = np.clip(1 - along**2, 0, 1) ** (1.0 if self.shows_teeth else 0.75)
        lower = below.copy()
        for _ in range(6):
            lower = below - drop * self._dropping(along, np.maximum(lower - line, 0), lip)
        lift = 0.1 * max(drop, np.float32(0)) * lip * np.exp(np.minimum(below - line, 0) / (0.5 * self.half))
        return Parted(along, lower, below + lift, line)

    def _dropping(self, along: Array, depth: Array, lip: Array) -> Array:
        """Share of the drop at `depth` pixels under the cut: the lip, then the whole jaw, then the neck."""
        share = np.clip(depth / self._chin, 0, 1)
        wide = np.clip(1 - (along / 2.1) ** 2, 0, 1) ** 2
        fade = np.clip(1 - (depth - self._chin) / (0.9 * self._chin), 0, 1)
        profile = lip + (0.8 * wide - lip) * share
        return profile * fade * fade * (3 - 2 * fade)

    def paint(self, image: Image, texture: Image, points: Array, opened: float) -> None:
        """Redraws `image` [H, W, 3] with the mouth opened; `points` [H, W, 2] are the texture points it shows."""
        parted = self.part(points, opened)
        lower = self._sample(texture, parted.along, parted.lower)
        upper = self._sample(texture, parted.along, parted.upper)
        below_cut = np.clip(parted.lower - parted.line + 0.5, 0, 1)
        above_cut = np.clip(parted.line - parted.upper + 0.5, 0, 1)
        # Halves that touch cover a pixel together; beyond the corners there is nothing between them at all.
        between = np.clip(1 - below_cut - above_cut, 0, 1) * np.clip((1 - np.abs(parted.along)) / 0.06, 0, 1)
        rows, columns = np.flatnonzero(between.any(axis=1)), np.flatnonzero(between.any(axis=0))
        if rows.size:
            # Only the few pixels between the lips need an inside.
            window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            share = (between[window] / np.maximum(1 - below_cut[window], 1e-3))[..., None]
            upper[window] += (self._inside(parted.within(window), opened) - upper[window]) * share
        image[:] = (upper + (lower - upper) * below_cut[..., None]).astype(np.uint8)

    def _sample(self, texture: Image, along: Array, below: Array) -> Array:
        x = self.centre[0] + along * self.half * self._across[0] + below * self._down[0]
        y = self.centre[1] + along * self.half * self._across[1] + below * self._down[1]
        seen = cv2.remap(
            texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(seen, np.float32)

    def _inside(self, parted: Parted, opened: float) -> Array:
        """Palate in the dark, tongue below, and a row of upper teeth unless the photo shows its own."""
        depth = np.clip(parted.upper - parted.line, 0, None)
        rise = np.clip(parted.line - parted.lower, 0, None)
        height = np.maximum(depth + rise, 1.0)
        share = np.clip(depth / height, 0, 1)[..., None]
        dark, flesh = np.array([46.0, 14.0, 16.0], np.float32), np.array([158.0, 62.0, 62.0], np.float32)
        tongue = np.clip(1 - (parted.along / 0.68) ** 2 - ((share[..., 0] - 1.15) / 0.6) ** 2, 0, 1)[..., None]
        tongue = np.clip(tongue * 1.8, 0, 1) * min(1.0, opened * 1.6)
        colour = dark * (0.55 + 0.45 * share) * (1 - tongue) + flesh * tongue * (0.75 + 0.25 * share)
        if not self.shows_teeth:
            colour = self._with_teeth(colour, parted.along, depth, opened)
        return np.asarray(colour * self._light, np.float32)

    def _with_teeth(self, colour: Array, along: Array, depth: Array, opened: float) -> Array:
        length = self.half * 0.24 * min(1.0, opened * 1.8) * np.clip(1 - (along / 0.86) ** 2, 0, 1) ** 0.4
        cover = np.clip((length - depth) / (0.035 * self.half + 0.6), 0, 1)
        gaps = 1 - 0.16 * np.exp(-((np.abs(np.sin(np.pi * along * 4.2)) / 0.18) ** 2))
        shade = gaps * (1 - 0.42 * along**2) * np.clip(0.62 + 0.5 * depth / np.maximum(length, 1), 0, 1)
        ivory = np.array([236.0, 226.0, 210.0], np.float32) * 0.92
        return colour * (1 - cover[..., None]) + ivory * shade[..., None] * cover[..., None]
