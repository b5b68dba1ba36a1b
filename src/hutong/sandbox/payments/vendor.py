"""What a vendor gives to have a sandbox."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from hutong.sandbox.pages import Lang
from hutong.sandbox.payments.book import Refund, Trade
from hutong.sandbox.payments.notices import Notice

TWISTS = ("corrupt", "wrong-amount", "wrong-key", "foreign", "stale", "probe")
"""What can be wrong with one delivery of a notice: changed after it was signed; another amount, rightly signed; signed by
another key; for another merchant, rightly signed; rightly signed, but long ago; the vendor's own test of our check."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's words and habits.

    Args:
        name: in file names and logs.
        texts: in each language at least `title`, `what`, `banner`; whatever else `page.html` shows.
        templates: folder with `page.html`, which extends `payments.html` and fills its block `how`.
        calls: names of the calls that its wire has, for mishaps and counters.
        refusals: codes that the button "refuse" offers; `down` is the code of every call while the vendor is down.
        twists: which of `TWISTS` its notices can have.
        retry_seconds: pauses after each delivery of a notice that was not acknowledged; then it is given up.
        new_id: makes the vendor's numbers; `kind` is `transaction`, `refund` or `notice`.
    """

    name: str
    texts: Mapping[Lang, Mapping[str, str]]
    templates: Path
    calls: Sequence[str]
    refusals: Sequence[str]
    down: str
    twists: Sequence[str]
    retry_seconds: Sequence[float]
    new_id: Callable[[str, datetime], str]


@dataclass(frozen=True, slots=True)
class Report:
    """What a notice is about. `refund` is there if and only if the notice reports one.

    `refunded` is what has gone back of the trade so far, in all.
    """

    notice: Notice
    trade: Trade
    refund: Refund | None = None
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """A notice as it goes over the wire, by POST to the notice's URL.

    `plain` says that nothing is wrong with it, for the twist that was asked for has no meaning here.
    """

    headers: Mapping[str, str]
    body: bytes
    plain: bool = False


class NoticeWriter(Protocol):
    """How a vendor's notices look."""

    def write(self, report: Report, twist: str | None, now: datetime) -> NoticeRequest:
        """Serialise and sign one delivery, wrong in the way that `twist` says."""
        ...

    def acknowledged(self, report: Report, status: int, body: bytes) -> bool:
        """Whether an answer means that the receiver has it."""
        ...
