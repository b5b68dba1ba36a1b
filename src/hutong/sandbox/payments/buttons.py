"""The buttons of the page: one class each, with the fields its form may send."""

import secrets
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hutong.sandbox import faults
from hutong.sandbox.payments import book, notices
from hutong.sandbox.payments.desk import Desk
from hutong.sandbox.payments.vendor import Vendor
from hutong.sandbox.presses import Denied


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when a button is pressed: inside a write transaction, at a time in milliseconds since 1970."""

    conn: sqlite3.Connection
    now_ms: int
    vendor: Vendor
    desk: Desk


def _blank(value: object) -> object:
    return None if value == "" else value


Times = Annotated[int | None, BeforeValidator(_blank), Field(ge=1, le=10_000)]
"""How many; left blank: until it is taken back."""
Amount = Annotated[int | None, BeforeValidator(_blank), Field(ge=1, le=10**12)]
"""In minor units; left blank: all of it."""
Seconds = Annotated[float, Field(gt=0, le=86_400)]
OrderNo = Annotated[str, Field(min_length=1, max_length=64)]


class Button(BaseModel, ABC):
    """What one press means."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @abstractmethod
    def press(self, scene: Scene) -> None:
        """Do it.

        Raises:
            BookRefused, Denied: it cannot be done.
        """


# Trades


class Pay(Button):
    """The customer pays an order: `amount` where another sum arrives than was asked for, `late` where it is closed already."""

    order_no: OrderNo
    amount: Amount = None
    payer: str | None = Field(default=None, max_length=128)
    late: bool = False

    def press(self, scene: Scene) -> None:
        scene.desk.pay(scene.conn, self.order_no, scene.now_ms, amount=self.amount, payer=self.payer, late=self.late)


class PayAgain(Button):
    """The merchant is told of a second payment of the same order, with a number of its own."""

    order_no: OrderNo

    def press(self, scene: Scene) -> None:
        scene.desk.pay_again(scene.conn, self.order_no, scene.now_ms)


class Close(Button):
    """The vendor closes an order."""

    order_no: OrderNo

    def press(self, scene: Scene) -> None:
        book.close(scene.conn, self.order_no, scene.now_ms)


class Refund(Button):
    """Somebody gives money back in the vendor's back office; the merchant hears of a refund that it did not ask for."""

    order_no: OrderNo
    amount: Amount = None

    def press(self, scene: Scene) -> None:
        trade = book.get(scene.conn, self.order_no, scene.now_ms)
        left = (trade.paid_amount or 0) - book.refunded(scene.conn, self.order_no)
        number = f"BACK-OFFICE-{secrets.token_hex(6)}"
        scene.desk.refund(
            scene.conn, self.order_no, number, self.amount or left, scene.now_ms, notify_url=trade.notify_url
        )


class Notify(Button):
    """The newest notice of an order is sent once more, `copies` at the same time."""

    order_no: OrderNo
    copies: int = Field(default=1, ge=1, le=200)

    def press(self, scene: Scene) -> None:
        if not notices.again(scene.conn, self.order_no, self.copies, scene.now_ms):
            raise Denied(409, "NotPossible", "There is no notice of this order yet.")


class Hurry(Button):
    """Every notice that waits is delivered now."""

    def press(self, scene: Scene) -> None:
        notices.hurry(scene.conn, scene.now_ms)


# Notices that go wrong


class _OnNotices(Button):
    times: Times = 1

    def _arm(self, scene: Scene, kind: str, code: str | None = None, seconds: float | None = None) -> None:
        faults.arm(scene.conn, kind, notices.ON, code=code, seconds=seconds, times=self.times)


class Delay(_OnNotices):
    """The next notices go out so many seconds late."""

    seconds: Seconds

    def press(self, scene: Scene) -> None:
        self._arm(scene, "delay", seconds=self.seconds)


class Duplicate(_OnNotices):
    """The next notices are sent so many times at once."""

    copies: int = Field(default=2, ge=2, le=200)

    def press(self, scene: Scene) -> None:
        self._arm(scene, "duplicate", str(self.copies))


class Reorder(_OnNotices):
    """The next notices are held back until another one has overtaken them."""

    def press(self, scene: Scene) -> None:
        self._arm(scene, "reorder")


class Twist(_OnNotices):
    """Something is wrong with the next deliveries; `kind` is one of the vendor's twists."""

    kind: str

    def press(self, scene: Scene) -> None:
        if self.kind not in scene.vendor.twists:
            raise Denied(400, "InvalidParameter", f"kind: one of {', '.join(scene.vendor.twists)}")
        self._arm(scene, self.kind)


# Calls that go wrong


class _OnCalls(Button):
    times: Times = 1
    on: str = "any"

    def _arm(self, scene: Scene, kind: str, code: str | None = None, seconds: float | None = None) -> None:
        if self.on not in {"any", *scene.vendor.calls}:
            raise Denied(400, "InvalidParameter", f"on: any, {', '.join(scene.vendor.calls)}")
        faults.arm(scene.conn, kind, self.on, code=code, seconds=seconds, times=self.times)


class Slow(_OnCalls):
    """The next calls wait so long before anything is done."""

    seconds: Seconds

    def press(self, scene: Scene) -> None:
        self._arm(scene, "slow", seconds=self.seconds)


class Hang(_OnCalls):
    """The next calls are never answered, and nothing is done."""

    def press(self, scene: Scene) -> None:
        self._arm(scene, "hang")


class LoseAnswer(_OnCalls):
    """The next calls are carried out, and the merchant never hears of it."""

    def press(self, scene: Scene) -> None:
        self._arm(scene, "lose")


class Refuse(_OnCalls):
    """The next calls are refused with one of the vendor's codes."""

    code: str

    def press(self, scene: Scene) -> None:
        if self.code not in scene.vendor.refusals:
            raise Denied(400, "InvalidParameter", f"code: one of {', '.join(scene.vendor.refusals)}")
        self._arm(scene, "answer", self.code)


class Down(Button):
    """The vendor fails every call until that is taken back."""

    def press(self, scene: Scene) -> None:
        faults.arm(scene.conn, "answer", "any", code=scene.vendor.down)


class RefundFails(Button):
    """The next refunds are taken in hand and fail later."""

    times: Times = 1

    def press(self, scene: Scene) -> None:
        faults.arm(scene.conn, "refund-fails", "refund", times=self.times)


# Tidying up


class Reset(Button):
    """Take all armed mishaps back."""

    def press(self, scene: Scene) -> None:
        faults.disarm(scene.conn)


class Disarm(Button):
    """Take one armed mishap back."""

    id: int

    def press(self, scene: Scene) -> None:
        faults.disarm(scene.conn, self.id)


class Clear(Button):
    """Forget all trades, refunds, notices and calls."""

    def press(self, scene: Scene) -> None:
        book.empty(scene.conn)


BUTTONS: Mapping[str, type[Button]] = {
    "pay": Pay,
    "pay-again": PayAgain,
    "close": Close,
    "refund": Refund,
    "notify": Notify,
    "hurry": Hurry,
    "delay": Delay,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "twist": Twist,
    "slow": Slow,
    "hang": Hang,
    "lose-answer": LoseAnswer,
    "refuse": Refuse,
    "down": Down,
    "refund-fails": RefundFails,
    "reset": Reset,
    "disarm": Disarm,
    "clear": Clear,
}
"""`POST /control/<name>`; each twist of the vendor has its own name too: `POST /control/corrupt`."""
