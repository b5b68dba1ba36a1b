"""Faults with a story of their own: long enough, or odd enough, not to be left to chance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one scenario saw."""

    name: str
    kept: bool
    text: str
