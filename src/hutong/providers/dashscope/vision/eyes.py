"""One eye: lids that close over it or are torn open, and a gaze that wanders."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hutong.providers.dashscope.vision.networks import Array, Image
from hutong.providers.dashscope.vision.portrait import Portrait


@dataclass(frozen=True)
class EyeMarks:
    """Landmarks of one eye from the corner at the picture's left to the other, and of the brow's lower edge."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    brow: tuple[int, ...]


LEFT = EyeMarks(
    (33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133), (46, 53, 52, 65, 55)
)
RIGHT = EyeMarks(
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
    (362, 382, 381, 380, 374, 373, 390, 249, 263),
    (285, 295, 282, 283, 276),
)


@dataclass(frozen=True)
class Lids:
    """Heights of the lid edges over the points, pixels below the eye's axis: in the photo and as they shall be."""

    upper: Array
    lower: Array
    upper_now: Array
    lower_now: Array


class Eye:
    """An eye in its own coordinates: `along` (-1 to 1 between the corners) and `below` (pixels under the axis)."""

    def __init__(self, portrait: Portrait, marks: EyeMarks) -> None:
        mesh = portrait.mesh[:, :2]
        first, last = mesh[marks.upper[0]], mesh[marks.upper[-1]]
        self.centre = (first + last) / 2
        self.half = max(float(np.linalg.norm(last - first)) / 2, 2.0)
        self._across = (last - first) / (2 * self.half)
        self._down = np.array([-self._across[1], self._across[0]], np.float32)
        self._upper = self._curve(mesh[list(marks.upper)])
        self._lower = self._curve(mesh[list(marks.lower)])
        middle = self._own(mesh[[marks.upper[4], marks.lower[4]]])[1]
        self.opening = max(float(middle[1] - middle[0]), 0.08 * self.half)
        brow = float(self._own(mesh[list(marks.brow)])[1].mean())
        self._lid_height = float(np.clip(0.85 * (middle[0] - brow), 0.35 * self.half, 1.1 * self.half))
        self._lash = self._lash_colour(portrait.texture)
        reach = int(self.half * 1.6) + 2
        self.corner = np.floor(self.centre).astype(int) - reach
        self.size = 2 * reach

    def _own(self, points: Array) -> tuple[Array, Array]:
        away = points - self.centre
        return away @ self._across / self.half, away @ self._down

    def _curve(self, points: Array) -> Array:
        along, below = self._own(points)
        return np.polyfit(along, below, 4).astype(np.float32)

    def _lash_colour(self, texture: Image) -> Array:
        x, y, reach = round(float(self.centre[0])), round(float(self.centre[1])), int(self.half)
        around = texture[max(0, y - reach // 2) : y + reach // 2 + 1, max(0, x - reach) : x + reach + 1].reshape(-1, 3)
        return (np.percentile(around, 6, axis=0) * 0.8).astype(np.float32) if len(around) else np.zeros(3, np.float32)

    def _lids(self, along: Array, closed: float) -> Lids:
        edge = np.clip(along, -1, 1)
        upper, lower = np.polyval(self._upper, edge), np.polyval(self._lower, edge)
        opening = np.maximum(lower - upper, 0.0)
        lower_now = lower - (0.18 if closed > 0 else 0.22) * closed * opening
        upper_now = upper + closed * (lower_now - upper) if closed > 0 else upper + 0.55 * closed * opening
        return Lids(upper, lower, upper_now, lower_now)

    def paint(self, image: Image, texture: Image, points: Array, closed: float, gaze: tuple[float, float]) -> None:
        """Redraws the eye in `image` [H, W, 3]; `points` [H, W, 2] tell which texture point each pixel shows."""
        along, below = self._own(points)
        lids = self._lids(along, closed)
        eyeball = self._eyeball(along, below, lids, gaze)
        painted = self._sample(texture, along, eyeball[0], eyeball[1])
        if closed > 0:
            skin = self._sample(texture, along, along, self._lid_source(below, lids))
            cover = np.clip(lids.upper_now + 0.02 * self.half - below + 0.5, 0.0, 1.0)[..., None]
            painted = skin * cover + painted * (1 - cover)
            painted = self._with_lashes(painted, along, below - lids.upper_now, closed)
        soft = np.clip((1.5 - np.abs(along)) / 0.25, 0, 1) * np.clip(
            (1.5 * self.half - np.abs(below)) / (0.2 * self.half), 0, 1
        )
        image[:] = (painted * soft[..., None] + image * (1 - soft[..., None])).astype(np.uint8)

    def _eyeball(self, along: Array, below: Array, lids: Lids, gaze: tuple[float, float]) -> tuple[Array, Array]:
        """Where eyeball and lower lid come from: between moved lids the photo's eye is stretched, or merely covered."""
        top = np.minimum(lids.upper_now, lids.upper)
        opening_now = np.maximum(lids.lower_now - top, 0.5)
        share = (below - top) / opening_now
        stretched = np.minimum(lids.upper, lids.upper_now + 1e3) + share * (lids.lower - lids.upper)
        foot = lids.lower + 0.7 * self.half
        under = lids.lower + (below - lids.lower_now) * (foot - lids.lower) / np.maximum(foot - lids.lower_now, 0.5)
        over = below + (lids.upper - lids.upper_now) * np.clip(1 + (below - lids.upper_now) / self._lid_height, 0, 1)
        covered = below + (lids.lower - lids.lower_now) * np.clip(share, 0, 1) ** 2
        widened = lids.upper_now < lids.upper
        inside = np.where(widened, stretched, covered)
        source = np.where(
            below > lids.lower_now,
            np.minimum(under, np.maximum(below, foot)),
            np.where(widened & (share < 0), over, inside),
        )
        room = np.clip(1 - along**2, 0, 1) * np.clip(4 * share * (1 - share), 0, 1)
        return along - 0.32 * gaze[0] * room, source - 0.35 * gaze[1] * self.opening * room

    def _lid_source(self, below: Array, lids: Lids) -> Array:
        """The upper lid's skin, from under the brow to its edge, drawn down to where the edge is now."""
        crest = lids.upper - self._lid_height
        share = (below - crest) / np.maximum(lids.upper_now - crest, 0.5)
        return np.where(share < 0, below, crest + share * (lids.upper - crest))

    def _sample(self, texture: Image, _: Array, along: Array, below: Array) -> Array:
        x = self.centre[0] + along * self.half * self._across[0] + below * self._down[0]
        y = self.centre[1] + along * self.half * self._across[1] + below * self._down[1]
        seen = cv2.remap(
            texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(seen, np.float32)

    def _with_lashes(self, painted: Array, along: Array, under_edge: Array, closed: float) -> Array:
        """A dark line on the moving edge: the lashes that stretching has thinned out."""
        width = 0.055 * self.half + 0.6
        line = (
            np.exp(-((under_edge / width) ** 2))
            * np.clip((1.02 - np.abs(along)) / 0.2, 0, 1)
            * 0.6
            * min(1.0, 1.5 * closed)
        )
        return painted * (1 - line[..., None]) + self._lash * line[..., None]
