"""Named places between two side effects where a test can kill the process, as power loss would.

`HUTONG_FAILPOINTS=<folder>` looks for orders in that folder: a file named as a failpoint (`emoji.submit.created`) kills
the process that gets there first, once; the file is gone then. Settings refuse the variable in production.
"""

import os
import signal
from pathlib import Path

VARIABLE = "HUTONG_FAILPOINTS"

_orders = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the failpoint is armed; otherwise nothing at all."""
    if _orders is not None and _disarm(_orders / name):
        os.kill(os.getpid(), signal.SIGKILL)


def _disarm(order: Path) -> bool:
    """Take the order; only one process gets it."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True
