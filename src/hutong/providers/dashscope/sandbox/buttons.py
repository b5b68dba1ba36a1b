"""The buttons of the page: one class each, with the fields its form may send."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hutong.providers.dashscope.sandbox import admission, queue
from hutong.providers.dashscope.sandbox.settings import Limits
from hutong.sandbox import faults

FAIL_CODES = (
    *("InternalError.Algo", "InternalError.Timeout", "InternalError.Upload", "DataInspectionFailed"),
    *("IPInfringementSuspect", "InvalidFile.FacePose", "InvalidURL.Timeout", "InvalidParameter"),
)
BREAK_CODES = ("InternalError", "InternalError.Algo", "SystemError", "ModelServiceFailed", "ModelUnavailable")
KEY_CODES = ("InvalidApiKey", "Arrearage", "AccessDenied.Unpurchased", "AllocationQuota.FreeTierOnly")
PICTURE_CODES = (
    *("InvalidFile.FacePose", "InvalidFile.NoHuman", "InvalidFile.MultiHuman", "InvalidFile.FullFace"),
    *("InvalidFile.Value", "DataInspectionFailed"),
)
ON = Literal["any", "detect", "create", "query"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when a button is pressed: inside a write transaction, at a time in milliseconds since 1970."""

    connection: sqlite3.Connection
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

    @field_validator("times", mode="before")
    @classmethod
    def _blank(cls, value: object) -> object:
        return None if value == "" else value


class Delay(_Counted):
    """The next tasks stay RUNNING for at least so many seconds more."""

    seconds: float = Field(gt=0, le=3600)

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "delay", "create", seconds=self.seconds, times=self.times)
        return True


class Fail(_Counted):
    """The next tasks end FAILED with this code."""

    code: Literal[*FAIL_CODES] = "InternalError.Algo"  # type: ignore[valid-type]

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "fail", "create", code=self.code, times=self.times)
        return True


class Hang(_Counted):
    """The next tasks stay RUNNING until somebody lets them go, or three hours are over."""

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "hang", "create", times=self.times)
        return True


class LoseAnswer(_Counted):
    """The next tasks are created, and the client never hears of them."""

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "lose", "create", times=self.times)
        return True


class LoseQuery(_Counted):
    """The next queries get no answer."""

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "lose", "query", times=self.times)
        return True


class Throttle(_Counted):
    """The next calls, or all calls for some seconds, answer 429 Throttling.RateQuota."""

    seconds: float | None = Field(default=None, gt=0, le=86_400)
    on: ON = "any"

    @field_validator("seconds", mode="before")
    @classmethod
    def _blank_seconds(cls, value: object) -> object:
        return None if value == "" else value

    def press(self, scene: Scene) -> bool:
        until = None if self.seconds is None else scene.now_ms + int(self.seconds * 1000)
        times = self.times if self.seconds is None or "times" in self.model_fields_set else None
        faults.arm(scene.connection, "answer", self.on, code=admission.THROTTLED, times=times, until_ms=until)
        return True


class Break(_Counted):
    """The next calls answer with a server error."""

    code: Literal[*BREAK_CODES] = "InternalError"  # type: ignore[valid-type]
    on: ON = "any"

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "answer", self.on, code=self.code, times=self.times)
        return True


class RefuseKey(_Counted):
    """The account is out of order: every call answers so, until it is taken back."""

    code: Literal[*KEY_CODES] = "InvalidApiKey"  # type: ignore[valid-type]
    times: int | None = Field(default=None, ge=1, le=10_000)

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "key", "any", code=self.code, times=self.times)
        return True


class RefusePicture(_Counted):
    """The next detects refuse their picture, whatever is on it."""

    code: Literal[*PICTURE_CODES] = "InvalidFile.FacePose"  # type: ignore[valid-type]

    def press(self, scene: Scene) -> bool:
        faults.arm(scene.connection, "refuse", "detect", code=self.code, times=self.times)
        return True


class Reset(Button):
    """Take all armed faults back."""

    def press(self, scene: Scene) -> bool:
        faults.disarm(scene.connection)
        return True


class Disarm(Button):
    """Take one armed fault back."""

    id: int

    def press(self, scene: Scene) -> bool:
        faults.disarm(scene.connection, self.id)
        return True


class _OfTask(Button):
    task_id: str = Field(max_length=64)


class ExpireLink(_OfTask):
    """The task's link answers 403 from now on; queries keep giving the same dead link."""

    def press(self, scene: Scene) -> bool:
        return queue.mark(scene.connection, self.task_id, "link_dead")


class Forget(_OfTask):
    """Queries answer UNKNOWN from now on, as for a task older than 24 hours."""

    def press(self, scene: Scene) -> bool:
        return queue.mark(scene.connection, self.task_id, "forgotten")


class HangTask(_OfTask):
    """A waiting or running task hangs from now on."""

    def press(self, scene: Scene) -> bool:
        return queue.mark(scene.connection, self.task_id, "hang")


class LetGo(_OfTask):
    """A hanging task goes on."""

    def press(self, scene: Scene) -> bool:
        return queue.let_go(scene.connection, self.task_id)


class Cancel(_OfTask):
    """As the API's cancel: only a waiting task."""

    def press(self, scene: Scene) -> bool:
        return queue.cancel(scene.connection, self.task_id, scene.now_ms)


class ChangeLimits(Limits, Button):
    """Overlay the limits that are sent; the others stay as they are."""

    def press(self, scene: Scene) -> bool:
        changes = self.model_dump(include=self.model_fields_set)
        if changes:
            admission.change_limits(scene.connection, changes)
        return True


class RestoreLimits(Button):
    """Back to the limits of the settings."""

    def press(self, scene: Scene) -> bool:
        admission.change_limits(scene.connection, {})
        return True


BUTTONS: Mapping[str, type[Button]] = {
    "delay": Delay,
    "fail": Fail,
    "hang": Hang,
    "lose-answer": LoseAnswer,
    "lose-query": LoseQuery,
    "throttle": Throttle,
    "break": Break,
    "refuse-key": RefuseKey,
    "refuse-picture": RefusePicture,
    "reset": Reset,
    "disarm": Disarm,
    "expire-link": ExpireLink,
    "forget": Forget,
    "hang-task": HangTask,
    "let-go": LetGo,
    "cancel": Cancel,
    "limits": ChangeLimits,
    "restore-limits": RestoreLimits,
}
"""`POST /control/<name>`; `clear` comes on top, because it removes files too."""
