"""The three MediaPipe networks: anchors, decoding of their raw tensors, and nothing about what a face is good for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

Array = npt.NDArray[Any]
"""Floating point, mostly float32; numpy's own operators lose the exact type."""
Image = npt.NDArray[np.uint8]

MODELS = Path(__file__).parent / "models"
LANDMARKS = 468
LANDMARK_INPUT = 192


@dataclass(frozen=True)
class BlazeFace:
    """Geometry of one BlazeFace variant, as in MediaPipe's published graph options."""

    file: str
    size: int
    layers: tuple[tuple[int, int], ...]
    """(stride in pixels, anchors per cell) of every output layer."""


FULL_RANGE = BlazeFace("face_detection_full_range.tflite", 192, ((4, 1),))
SHORT_RANGE = BlazeFace("face_detection_short_range.tflite", 128, ((8, 2), (16, 6)))


def anchor_centres(geometry: BlazeFace) -> Array:
    """Centres of all anchors in input units (0–1), float32 [N, 2]; every anchor of these models has size 1."""
    layers = []
    for stride, per_cell in geometry.layers:
        cells = geometry.size // stride
        ys, xs = np.mgrid[0:cells, 0:cells].astype(np.float32)
        centres = (np.stack([xs, ys], axis=-1).reshape(-1, 2) + 0.5) / cells
        layers.append(np.repeat(centres, per_cell, axis=0))
    return np.concatenate(layers).astype(np.float32)


class Network:
    """One LiteRT interpreter; calls are serialised because an interpreter owns its tensors."""

    def __init__(self, file: str) -> None:
        self._lock = threading.Lock()
        self._interpreter: Any = Interpreter(str(MODELS / file), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input: int = self._interpreter.get_input_details()[0]["index"]
        self._outputs: list[int] = [detail["index"] for detail in self._interpreter.get_output_details()]

    def run(self, batch: Array) -> list[Array]:
        """Feeds float32 [1, H, W, 3] and returns copies of the outputs in the model's order."""
        with self._lock:
            self._interpreter.set_tensor(self._input, batch)
            self._interpreter.invoke()
            return [np.array(self._interpreter.get_tensor(index)) for index in self._outputs]


class Detector:
    """A BlazeFace network over a square window of a picture."""

    def __init__(self, geometry: BlazeFace) -> None:
        self._geometry = geometry
        self._network = Network(geometry.file)
        self._anchors = anchor_centres(geometry)

    def detect(self, picture: Pyramid, window: tuple[float, float, float], threshold: float) -> tuple[Array, Array]:
        """Candidates in window (x, y, side), which may reach over the picture's edge (filled with grey).

        Returns points float32 [N, 8, 2] in picture pixels (top-left, bottom-right, then the six key points: right eye,
        left eye, nose, mouth, right ear, left ear, named as the person would) and scores float32 [N].
        """
        x, y, side = window
        size = self._geometry.size
        scale = side / size
        turn = np.array([[scale, 0, x], [0, scale, y]], np.float32)
        sample = picture.sample(turn, size, scale)
        raw, logits = self._network.run((sample.astype(np.float32) / 127.5 - 1.0)[None])
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -60, 60)))
        keep = scores >= threshold
        points = decode(raw[0][keep], self._anchors[keep], size) * side + np.array([x, y], np.float32)
        return points.astype(np.float32), scores[keep].astype(np.float32)


def decode(raw: Array, anchors: Array, size: int) -> Array:
    """Regressors [N, 16] (centre, extent, six key points; pixels of the input) to points [N, 8, 2] in units of it."""
    pairs = raw.reshape(-1, 8, 2) / size
    centre = pairs[:, 0] + anchors
    half = pairs[:, 1] / 2
    return np.concatenate([(centre - half)[:, None], (centre + half)[:, None], pairs[:, 2:] + anchors[:, None]], axis=1)


class Pyramid:
    """A picture and its halvings, so that small samples of a big picture neither alias nor cost a full resize."""

    def __init__(self, rgb: Image) -> None:
        self.height, self.width = rgb.shape[:2]
        self._levels = [rgb]

    def _level(self, depth: int) -> Image:
        while len(self._levels) <= depth:
            last = self._levels[-1]
            height, width = last.shape[0] // 2, last.shape[1] // 2
            if min(height, width) < 1:
                return last
            # Whole 2×2 blocks only: OpenCV's area filter is many times slower at any other ratio.
            even = last[: height * 2, : width * 2]
            self._levels.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
        return self._levels[depth]

    def sample(self, turn: Array, size: int, scale: float) -> Image:
        """A size×size window, grey outside; `turn` [2, 3] maps its pixels to the picture, `scale` to 1 of them."""
        depth = int(max(0.0, np.floor(np.log2(max(scale, 1e-6)))))
        turn = turn / 2.0**depth
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        window = cv2.warpAffine(self._level(depth), turn, (size, size), flags=flags, borderValue=(127, 127, 127))
        return np.asarray(window, np.uint8)


class LandmarkNet:
    """The 468-point face mesh on an upright 192×192 crop."""

    def __init__(self) -> None:
        self._network = Network("face_landmark.tflite")

    def locate(self, picture: Pyramid, centre: Array, side: float, angle: float) -> tuple[Array, float]:
        """Landmarks float32 [468, 3] in picture pixels (z in the same unit, smaller is nearer) and presence (0–1).

        The crop is a square of `side` pixels around `centre`, turned by `angle` radians so that the eyes are level.
        """
        scale = side / LANDMARK_INPUT
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        middle = LANDMARK_INPUT / 2
        turn = np.array([[cos, -sin, 0], [sin, cos, 0]], np.float32)
        turn[:, 2] = centre - turn[:, :2] @ np.array([middle, middle], np.float32)
        sample = picture.sample(turn, LANDMARK_INPUT, scale)
        mesh, presence = self._network.run((sample.astype(np.float32) / 255.0)[None])
        flat = mesh.reshape(LANDMARKS, 3)
        located = np.empty((LANDMARKS, 3), np.float32)
        located[:, :2] = flat[:, :2] @ turn[:, :2].T + turn[:, 2]
        located[:, 2] = flat[:, 2] * scale
        return located, float(1.0 / (1.0 + np.exp(-presence.reshape(-1)[0])))
