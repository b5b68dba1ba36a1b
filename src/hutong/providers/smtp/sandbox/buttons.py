"""The buttons of the page: one class each, with the fields its form may send."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from hutong.providers.smtp.sandbox import inbox
from hutong.sandbox import faults
from hutong.sandbox.buttons import Button, Counted, Disarm, Reset, Scene

ON = Literal["rcpt", "data"]


class _Mishap(Counted):
    def _arm(self, scene: Scene, kind: str, stage: str, code: str | None = None, seconds: float | None = None) -> bool:
        faults.arm(scene.conn, kind, stage, code=code, seconds=seconds, times=self.times)
        return True


class Refuse(_Mishap):
    """The next mails are refused for good: 550 at the recipient, 554 at the end of the mail."""

    on: ON = "rcpt"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "answer", self.on, "550" if self.on == "rcpt" else "554")


class Throttle(_Mishap):
    """The next mails are put off: 451."""

    on: ON = "rcpt"

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "answer", self.on, "451")


class Slow(_Mishap):
    """The next mails wait so long for the answer to their last line."""

    seconds: float = Field(gt=0, le=600)

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "slow", "data", seconds=self.seconds)


class HangUp(_Mishap):
    """The connection is cut in the middle of the next mails; they are not taken."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "hang_up", "data")


class LoseAnswer(_Mishap):
    """The next mails are taken, and the client never hears of it."""

    def press(self, scene: Scene) -> bool:
        return self._arm(scene, "lose", "data")


class Clear(Button):
    """Drop all mails."""

    def press(self, scene: Scene) -> bool:
        inbox.clear(scene.conn)
        return True


BUTTONS: Mapping[str, type[Button]] = {
    "refuse": Refuse,
    "throttle": Throttle,
    "slow": Slow,
    "hang-up": HangUp,
    "lose-answer": LoseAnswer,
    "clear": Clear,
    "reset": Reset,
    "disarm": Disarm,
}
"""`POST /control/<name>`."""
