"""The page: what this sandbox is, what is going on in it, and the buttons for mishaps."""

import secrets
import sqlite3
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hutong.providers.dashscope.sandbox import admission, detects, links, queue
from hutong.providers.dashscope.sandbox.answers import BEIJING
from hutong.providers.dashscope.sandbox.buttons import BREAK_CODES, FAIL_CODES, KEY_CODES, PICTURE_CODES
from hutong.providers.dashscope.sandbox.page_texts import TEXTS, templates
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.state import State, link_secret

SHOWN = 24
DETECTS_SHOWN = 12

ENVIRONMENT = page_environment(Path(__file__).parent / "templates")


class Page:
    """`GET /`, in English or Simplified Chinese."""

    def __init__(self, settings: SandboxSettings, state: State) -> None:
        self._settings = settings
        self._state = state

    async def show(self, request: Request) -> Response:
        """The page as it is now; `?lang=en|zh` overrules Accept-Language."""
        chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        nonce = secrets.token_urlsafe(16)
        context = await self._state.read(self._context)
        html = ENVIRONMENT.get_template("page.html").render(
            **context,
            t=TEXTS[chosen],
            lang=chosen,
            template_names=templates(chosen),
            done=request.query_params.get("done"),
            settings=self._settings,
            nonce=nonce,
            codes={"fail": FAIL_CODES, "break": BREAK_CODES, "key": KEY_CODES, "picture": PICTURE_CODES},
        )
        return HTMLResponse(html, headers=page_headers(nonce, chosen))

    def _context(self, connection: sqlite3.Connection) -> dict[str, Any]:
        now_ms = self._state.now_ms()
        secret = link_secret(connection)
        statuses = queue.counts(connection)
        return {
            "limits": admission.limits(connection, self._settings.limits()),
            "faults": [_fault(fault, now_ms) for fault in faults.armed(connection, now_ms)],
            "totals": admission.totals(connection),
            "statuses": statuses,
            "all_tasks": sum(statuses.values()),
            "tasks": [_task(task, secret, now_ms) for task in queue.latest(connection, SHOWN)],
            "detects": [row | {"at": _clock_time(row["at_ms"])} for row in detects.latest(connection, DETECTS_SHOWN)],
        }


def _task(task: Task, secret: str, now_ms: int) -> dict[str, Any]:
    """A task with what the template shows of it; spans in seconds."""
    began, ended = task.scheduled_ms, task.end_ms
    alive = task.status == "SUCCEEDED" and not task.link_dead and (task.link_expires or 0) * 1000 > now_ms
    return asdict(task) | {
        "at": _clock_time(task.submit_ms),
        "waited": ((began or ended or now_ms) - task.submit_ms) / 1000,
        "ran": None if began is None else ((ended or now_ms) - began) / 1000,
        "link": links.video_path(secret, task.id, task.link_expires or 0)[1:] if alive else None,
    }


def _fault(fault: faults.Fault, now_ms: int) -> dict[str, Any]:
    left = None if fault.until_ms is None else max(1, round((fault.until_ms - now_ms) / 1000))
    return asdict(fault) | {"left": left}


def _clock_time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, BEIJING):%m-%d %H:%M:%S}"
