"""The twenty emoji templates of the vendor as pure functions of time: what the face and the head do, not how."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

FPS = 15
"""The vendor's frame rate (emoji-v1 output: 512×512, 15 fps, silent)."""

Track = Callable[[float], float]
"""A parameter over the phase 0–1 of one loop."""


@dataclass(frozen=True)
class Pose:
    """One moment of a performance; all zero is the photo as it is. "left" and "right" are sides of the picture."""

    mouth: float = 0.0
    """Jaw drop, 0 as in the photo to 1 wide open; to -1 shuts and presses the lips."""
    smile: float = 0.0
    """Corners of the mouth, -1 turned down to 1 broad smile."""
    smirk: float = 0.0
    """One-sided smile, -1 left corner to 1 right corner."""
    pucker: float = 0.0
    """Lips drawn together, 0–1."""
    jaw: float = 0.0
    """Lower face pushed sideways, -1 to 1."""
    lid_left: float = 0.0
    """Upper lid: 1 shut, 0 as in the photo, -1 torn open."""
    lid_right: float = 0.0
    brow_left: float = 0.0
    """Eyebrow: 1 raised, -1 pressed down."""
    brow_right: float = 0.0
    furrow: float = 0.0
    """Inner ends of the brows: 1 drawn together and down (anger), -1 up (sorrow)."""
    gaze_x: float = 0.0
    """Where the eyes look, -1 left to 1 right."""
    gaze_y: float = 0.0
    """-1 up to 1 down."""
    puff: float = 0.0
    """Cheeks: 1 blown up, -1 sucked in."""
    sneer: float = 0.0
    """Nose wrinkled and upper lip raised, 0–1."""
    yaw: float = 0.0
    """Degrees, positive turns the face to the picture's right."""
    pitch: float = 0.0
    """Degrees, positive nods down."""
    roll: float = 0.0
    """Degrees, positive tilts clockwise."""
    shift: float = 0.0
    """Head sideways, in face heights."""
    bob: float = 0.0
    """Head down, in face heights."""
    stretch: float = 0.0
    """Head's height, as a share: 0.1 is ten per cent taller and thinner."""
    zoom: float = 0.0
    """Camera moves in, as a share."""
    tears: float = 0.0
    """How far tears have run, 0 none to 1 at the jaw."""
    wet: float = 0.0
    """Glistening of the eyes, 0–1."""
    blush: float = 0.0
    """Red cheeks, 0–1."""


PARAMETERS = tuple(field.name for field in fields(Pose))


@dataclass(frozen=True)
class Motion:
    """One template: its vendor id, length in seconds and the track of every parameter that moves."""

    driven_id: str
    seconds: float
    tracks: Mapping[str, Track]

    @property
    def frames(self) -> int:
        """Number of frames of one loop."""
        return round(self.seconds * FPS)

    def pose(self, phase: float) -> Pose:
        """The pose at phase 0–1; 0 and 1 are the same pose, so the video loops."""
        return Pose(**{name: track(phase % 1.0) for name, track in self.tracks.items()})


def keys(*points: tuple[float, float]) -> Track:
    """Eases from key to key (phase, value); before the first and after the last the value goes back round the loop."""
    ring = [(points[-1][0] - 1.0, points[-1][1]), *points, (points[0][0] + 1.0, points[0][1])]

    def track(phase: float) -> float:
        for (start, low), (end, high) in pairwise(ring):
            if phase <= end:
                share = (phase - start) / max(end - start, 1e-9)
                return low + (high - low) * share * share * (3.0 - 2.0 * share)
        return ring[-1][1]

    return track


def wave(height: float, cycles: int, offset: float = 0.0) -> Track:
    """A sine of so many whole cycles a loop; `offset` in cycles."""
    return lambda phase: height * math.sin(2.0 * math.pi * (cycles * phase + offset))


def swell(height: float, cycles: int) -> Track:
    """Goes from 0 to `height` and back so many times a loop."""
    return lambda phase: height * (0.5 - 0.5 * math.cos(2.0 * math.pi * cycles * phase))


def during(envelope: Track, inner: Track) -> Track:
    """The inner track, as strong as the envelope."""
    return lambda phase: envelope(phase) * inner(phase)


def held(value: float, start: float = 0.15, end: float = 0.85, ease: float = 0.12) -> Track:
    """Rises to `value` around `start`, stays, and is back at rest around `end`."""
    return keys((0.0, 0.0), (start - ease / 2, 0.0), (start + ease / 2, value), (end - ease / 2, value), (end, 0.0))


def plus(*tracks: Track) -> Track:
    """The sum of tracks."""
    return lambda phase: sum(track(phase) for track in tracks)


def blinks(*moments: float) -> Track:
    """Short blinks at these phases."""
    points = [(0.0, 0.0)]
    for moment in moments:
        points += [(moment - 0.045, 0.0), (moment, 1.0), (moment + 0.055, 0.0)]
    return keys(*points)


def both(name: str, track: Track) -> dict[str, Track]:
    """The same track for the left and the right of a pair of parameters."""
    return {f"{name}_left": track, f"{name}_right": track}
