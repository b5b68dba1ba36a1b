"""The buttons of the page: one class each, with the fields its form may send."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from hutong.providers.oss.sandbox import bucket
from hutong.sandbox import faults
from hutong.sandbox.buttons import Button, Counted, Disarm, Reset, Scene

ON = Literal["any", "put", "get", "head", "remove", "list", "post"]


class _Counted(Counted):
    on: ON = "any"

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
