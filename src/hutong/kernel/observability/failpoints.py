"""Named places between two side effects where a test can kill the process, as power loss would.

`HUTONG_FAILPOINTS=emoji.submit.created,emoji.store.saved` arms them; with `HUTONG_FAILPOINTS_ONCE=<folder>` each kills
once per folder, so that a supervised process gets past it the second time. Settings refuse both in production.
"""

import os
import signal
from pathlib import Path

ARMED_VARIABLE = "HUTONG_FAILPOINTS"
ONCE_VARIABLE = "HUTONG_FAILPOINTS_ONCE"

_armed: frozenset[str] = frozenset(filter(None, os.environ.get(ARMED_VARIABLE, "").split(",")))
_once = os.environ.get(ONCE_VARIABLE)


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if `name` is armed; otherwise nothing at all."""
    if _armed and name in _armed and _first_time(name):
        os.kill(os.getpid(), signal.SIGKILL)


def armed() -> frozenset[str]:
    """The names armed in this process."""
    return _armed


def _first_time(name: str) -> bool:
    if _once is None:
        return True
    try:
        os.close(os.open(Path(_once) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
