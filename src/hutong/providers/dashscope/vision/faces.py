"""Where the faces of a picture are: detection over several windows, merging, and the landmark mesh of each face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hutong.providers.dashscope.vision.networks import (
    FULL_RANGE,
    SHORT_RANGE,
    Array,
    Detector,
    Image,
    LandmarkNet,
    Pyramid,
)

Box = tuple[int, int, int, int]
"""(x1, y1, x2, y2) in integer pixels, origin top left, the lower right corner excluded."""

MIN_SCORE = 0.55
MIN_PRESENCE = 0.5
SAME_FACE = 0.35
"""Two candidates overlapping by this share (intersection over union) are one face."""

PART_OF_FACE = 0.5
"""A face sharing this much of its own area with a larger one is only a piece of it."""


@dataclass(frozen=True)
class Face:
    """One face: detector box (brow to chin), score 0–1, six key points and the 468-point mesh, all in pixels."""

    box: Box
    score: float
    keypoints: Array
    """float32 [6, 2]: the person's right eye, left eye, nose, mouth, right ear, left ear."""
    mesh: Array
    """float32 [468, 3]; z in pixels too, smaller is nearer to the camera."""

    @property
    def landmarks(self) -> Array:
        """The mesh seen from the front, float32 [468, 2]."""
        return self.mesh[:, :2]

    @property
    def side(self) -> int:
        """The longer side of the box in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


class FaceFinder:
    """Finds faces of any size; holds three small networks (about 4 MB), safe to share between threads."""

    def __init__(self) -> None:
        self._far = Detector(FULL_RANGE)
        self._near = Detector(SHORT_RANGE)
        self._mesh = LandmarkNet()

    def find(self, rgb: Image) -> list[Face]:
        """All faces of an upright picture uint8 [H, W, 3], largest first.

        The whole picture, a padded copy (faces filling the frame) and overlapping tiles (small faces) are searched;
        every candidate must also convince the landmark network, which removes patterns that only look like a face.
        """
        picture = Pyramid(rgb)
        faces = self._confirmed(picture, self._candidates(picture, _wide_windows(picture)))
        if not faces:
            faces = self._confirmed(picture, self._candidates(picture, _tiles(picture, 3)))
        return faces

    def _candidates(self, picture: Pyramid, windows: list[tuple[float, float, float]]) -> list[tuple[Array, float]]:
        points, scores = [], []
        for window in windows:
            for detector in (self._far, self._near):
                found = detector.detect(picture, window, MIN_SCORE)
                points.append(found[0])
                scores.append(found[1])
        return merged(np.concatenate(points), np.concatenate(scores))

    def _confirmed(self, picture: Pyramid, candidates: list[tuple[Array, float]]) -> list[Face]:
        seen: list[Face] = []
        for points, score in candidates:
            mesh, presence = self.landmarks(picture, points[2:])
            box = _pixel_box(points, picture)
            if presence >= MIN_PRESENCE and min(box[2] - box[0], box[3] - box[1]) >= 8:
                seen.append(Face(box, score, points[2:], mesh))
        return _without_parts(sorted(seen, key=lambda face: -face.side))

    def landmarks(self, picture: Pyramid, keypoints: Array) -> tuple[Array, float]:
        """Mesh [468, 3] and presence for a face known by its six key points [6, 2].

        Runs twice: the second crop is framed by the first mesh, which removes the detector's jitter.
        """
        right, left, mouth = keypoints[0], keypoints[1], keypoints[3]
        eyes = (right + left) / 2
        reach = max(float(np.linalg.norm(left - right)), float(np.linalg.norm(mouth - eyes)), 1.0)
        angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        centre = (eyes * 0.55 + mouth * 0.45).astype(np.float32)
        mesh, presence = self._mesh.locate(picture, centre, reach * 3.6, angle)
        if presence < MIN_PRESENCE / 5:
            return mesh, presence
        turn = float(np.arctan2(mesh[263, 1] - mesh[33, 1], mesh[263, 0] - mesh[33, 0]))
        low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
        return self._mesh.locate(picture, (low + high) / 2, float((high - low).max()) * 1.5, turn)


@lru_cache(maxsize=1)
def shared_finder() -> FaceFinder:
    """The process's one FaceFinder, loaded on first use (about 50 ms)."""
    return FaceFinder()


def merged(points: Array, scores: Array) -> list[tuple[Array, float]]:
    """Weighted non-maximum suppression: overlapping candidates become one, averaged by score, best score first."""
    order = np.argsort(-scores)
    points, scores = points[order], scores[order]
    result: list[tuple[Array, float]] = []
    while len(scores):
        boxes = points[:, :2].reshape(-1, 4)
        near = np.array([_overlap(boxes[0], box) for box in boxes]) > SAME_FACE
        near[0] = True
        weights = scores[near] / scores[near].sum()
        result.append(((points[near] * weights[:, None, None]).sum(axis=0).astype(np.float32), float(scores[0])))
        points, scores = points[~near], scores[~near]
    return result


def _overlap(one: Array, other: Array) -> float:
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    shared = max(0.0, float(right - left)) * max(0.0, float(bottom - top))
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return shared / max(areas[0] + areas[1] - shared, 1e-6)


def _without_parts(faces: list[Face]) -> list[Face]:
    """Drops a face that lies half inside a larger one: a tile's edge makes one face look like a smaller one."""
    kept: list[Face] = []
    for face in faces:
        if all(_shared(_hull(face.mesh), _hull(other.mesh)) < PART_OF_FACE for other in kept):
            kept.append(face)
    return kept


def _shared(one: Array, other: Array) -> float:
    """Common area as a share of the smaller box."""
    width = float(min(one[2], other[2]) - max(one[0], other[0]))
    height = float(min(one[3], other[3]) - max(one[1], other[1]))
    smaller = min(float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other))
    return max(0.0, width) * max(0.0, height) / max(smaller, 1e-6)


def _hull(mesh: Array) -> Array:
    return np.concatenate([mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)])


def _pixel_box(points: Array, picture: Pyramid) -> Box:
    height, width = picture.height, picture.width
    (x1, y1), (x2, y2) = points[0], points[1]
    return (
        int(np.clip(round(float(x1)), 0, width)),
        int(np.clip(round(float(y1)), 0, height)),
        int(np.clip(round(float(x2)), 0, width)),
        int(np.clip(round(float(y2)), 0, height)),
    )


def _wide_windows(picture: Pyramid) -> list[tuple[float, float, float]]:
    height, width = picture.height, picture.width
    long = float(max(height, width))
    whole = ((width - long) / 2, (height - long) / 2, long)
    padded = ((width - 1.6 * long) / 2, (height - 1.6 * long) / 2, 1.6 * long)
    return [whole, padded, *_tiles(picture, 2)]


def _tiles(picture: Pyramid, across: int) -> list[tuple[float, float, float]]:
    """Square tiles overlapping by half, `across` times finer than the picture's longer side."""
    height, width = picture.height, picture.width
    side = max(height, width) / across
    xs = np.linspace(0, max(0.0, width - side), max(1, int(np.ceil(2 * width / side)) - 1))
    ys = np.linspace(0, max(0.0, height - side), max(1, int(np.ceil(2 * height / side)) - 1))
    return [(float(x), float(y), float(side)) for y in ys for x in xs]
