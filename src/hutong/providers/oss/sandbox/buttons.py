"""The buttons of the page: one class each, with the fields its form may send."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hutong.providers.oss.sandbox import bucket
from hutong.sandbox import faults

ON = Literal["any", "put", "get", "head", "remove", "list", "post"]


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


class _Counted(Button):
    """`times` left blank means: until it is taken back."""

    times: int | None = Field(default=1, ge=1, le=10_000)
    on: ON = "any"

    @field_validator("times", mode="before")
    @classmethod
    def _blank(cls, value: object) -> object:
        return None if value == "" else value

    def _arm(self, scene: Scene, kind: str, code: str | None = None, seconds: float | None = None) -> bool:
        faults.arm(scene.conn, kind, self.on, code=code, seconds=seconds, times=self.times)
        return True


class Slow(_Counted):
    """The next calls wait so long before anything is done."""

    seconds: float = Field(gt=0, le=600)

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "slow", seconds=self.seconds)


class Break(_Counted):
    """The next calls answer 500 InternalError."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "answer", "InternalError")


class Throttle(_Counted):
    """The next calls answer 503 ServiceBusy."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "answer", "ServiceBusy")


class Refuse(_Counted):
    """The next calls answer 403 AccessDenied."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "answer", "AccessDenied")


class LoseAnswer(_Counted):
    """The next calls are carried out, and the client never hears of it."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "lose")


class ExpireLinks(Button):
    """Links to one object answer 403 "Request has expired." from now on, until it is written again."""

    key: str = Field(max_length=1023)

    def press(self, scene: Scene) -> bool:
        return bucket.kill_links(scene.conn, self.key)


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


BUTTONS: Mapping[str, type[Button]] = {
    "slow": Slow,
    "break": Break,
    "throttle": Throttle,
    "refuse": Refuse,
    "lose-answer": LoseAnswer,
    "expire-links": ExpireLinks,
    "reset": Reset,
    "disarm": Disarm,
}
"""`POST /control/<name>`; `clear` comes on top, because it removes files too."""
