"""The buttons of the page: one class each, with the fields its form may send."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from hutong.sandbox import faults
from hutong.sandbox.buttons import Button, Counted, Disarm, Reset, Scene
from hutong.sandbox.openai import calls, limits
from hutong.sandbox.openai.mishaps import AT_THE_END, place
from hutong.sandbox.openai.refusals import FAILURES

On = Literal["any", "stream", "whole"]
Broken = Literal["json", "chunk", "utf8"]
Told = Literal["server_error", "rate_limit_exceeded", "insufficient_quota"]


class _Mishap(Counted):
    def _arm(self, scene: Scene, kind: str, on: str, code: str | None = None, seconds: float | None = None) -> bool:
        faults.arm(scene.conn, kind, on, code=code, seconds=seconds, times=self.times)
        return True


class _Break(_Mishap):
    """`after` so many deltas; left blank: what the button says."""

    after: int | None = Field(default=None, ge=0, le=100_000)

    @field_validator("after", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return None if value == "" else value


class Fail(_Mishap):
    """The next calls are refused with this error."""

    code: str = "server_error"
    on: On = "any"

    @field_validator("code")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FAILURES:
            raise ValueError(f"one of {', '.join(FAILURES)}")
        return value

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "fail", self.on, self.code)


class Throttle(_Mishap):
    """The next calls are answered 429, with `Retry-After` if seconds are given, `x-should-retry` if a word is."""

    seconds: float | None = Field(default=None, ge=0, le=86_400)
    should_retry: Literal["", "true", "false"] = ""
    on: On = "any"

    @field_validator("seconds", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return None if value == "" else value

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "throttle", self.on, self.should_retry or None, self.seconds)


class Slow(_Mishap):
    """The next answers, or errors, begin so much later."""

    seconds: float = Field(gt=0, le=3600)
    on: On = "any"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "slow", self.on, seconds=self.seconds)


class Pace(_Mishap):
    """The next streams pause so much longer between two deltas."""

    seconds: float = Field(gt=0, le=3600)

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "pace", "stream", seconds=self.seconds)


class Hang(_Break):
    """The next answers stop while the connection stays: before the status, or after so many deltas."""

    on: On = "any"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "hang", self.on, place(self.after))


class Cut(_Break):
    """The connection of the next answers is cut: before the status, or after so many deltas."""

    on: On = "any"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "cut", self.on, place(self.after))


class EndEarly(_Break):
    """The next streams end cleanly, but too early: after so many deltas, or complete without their `[DONE]`."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "end_early", "stream", place(AT_THE_END if self.after is None else self.after))


class ErrorEvent(_Break):
    """The next streams say in an event that something went wrong, and end."""

    code: Told = "server_error"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "error_event", "stream", place(self.after or 0, self.code))


class Malformed(_Break):
    """The next answers hold an event (or a body) that is no JSON, no chunk, or no UTF-8, and go on."""

    what: Broken = "json"
    on: On = "any"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "malformed", self.on, place(self.after or 0, self.what))


class NoUsage(_Mishap):
    """The next answers do not tell their usage."""

    on: On = "any"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "no_usage", self.on)


class SetLimits(Button):
    """What the account may ask a minute, from now on."""

    requests_per_minute: int = Field(ge=1, le=10**9)
    tokens_per_minute: int = Field(ge=1, le=10**12)

    def press(self, scene: Scene) -> bool:
        limits.keep(scene.conn, limits.Limits(**self.model_dump()))
        return True


class RestoreLimits(Button):
    """Back to the settings' limits."""

    def press(self, scene: Scene) -> bool:
        limits.keep(scene.conn, None)
        return True


class Clear(Button):
    """Drop what is known of calls that have ended."""

    def press(self, scene: Scene) -> bool:
        calls.clear(scene.conn)
        return True


BUTTONS: Mapping[str, type[Button]] = {
    "fail": Fail,
    "throttle": Throttle,
    "slow": Slow,
    "pace": Pace,
    "hang": Hang,
    "cut": Cut,
    "end-early": EndEarly,
    "error-event": ErrorEvent,
    "malformed": Malformed,
    "no-usage": NoUsage,
    "limits": SetLimits,
    "restore-limits": RestoreLimits,
    "clear": Clear,
    "reset": Reset,
    "disarm": Disarm,
}
"""`POST /control/<name>`."""
