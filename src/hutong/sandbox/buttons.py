"""What every button of a sandbox's page has: a form that is checked, and one thing that it does."""

import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hutong.sandbox import faults


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when a button is pressed: inside a write transaction, at a time in milliseconds since 1970."""

    conn: sqlite3.Connection
    now_ms: int


class Button(BaseModel, ABC):
    """What one press means."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @abstractmethod
    def press(self, scene: Scene) -> bool:
        """Do it; False when there is nothing it could act on."""


class Counted(Button):
    """`times` left blank means: until it is taken back."""

    times: int | None = Field(default=1, ge=1, le=10_000)

    @field_validator("times", mode="before")
    @classmethod
    def _blank(cls, value: object) -> object:
        return None if value == "" else value


class Reset(Button):
    """Take all armed mishaps back."""

    def press(self, scene: Scene) -> bool:
        faults.disarm(scene.conn)
        return True


class Disarm(Button):
    """Take one armed mishap back."""

    id: int

    def press(self, scene: Scene) -> bool:
        faults.disarm(scene.conn, self.id)
        return True
