"""Pressing the buttons, from the page (forms) or a script (JSON), and reading the sandbox's state as JSON."""

import asyncio
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hutong.providers.oss.sandbox import admission, bucket
from hutong.providers.oss.sandbox.buttons import BUTTONS
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.sandbox import control, faults
from hutong.sandbox.state import State


class Control(control.Control):
    """The buttons, and `clear`, which removes files too."""

    def __init__(self, settings: OssSandboxSettings, state: State) -> None:
        super().__init__(state, BUTTONS, self._look, "There is no such object.")
        self._settings = settings

    async def _carry_out(self, action: str, fields: Mapping[str, Any]) -> None:
        if action != "clear":
            await super()._carry_out(action, fields)
            return
        files = await self._state.write(bucket.empty)
        await asyncio.to_thread(bucket.erase, self._settings.contents, files)

    def _look(self, conn: sqlite3.Connection) -> dict[str, Any]:
        objects, size = bucket.size_of(conn)
        return {
            "faults": [asdict(fault) for fault in faults.armed(conn, self._state.now_ms())],
            "totals": admission.totals(conn),
            "objects": objects,
            "bytes": size,
        }
