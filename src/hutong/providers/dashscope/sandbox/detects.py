"""The face-detect call: fetch the picture, have it inspected, remember what came of it."""

import sqlite3
from typing import Any

from starlette.responses import Response

from hutong.providers.dashscope.sandbox.answers import CODES, Refusal, answer
from hutong.providers.dashscope.sandbox.orders import image_path
from hutong.providers.dashscope.sandbox.pictures import fetch, picture_url
from hutong.providers.dashscope.sandbox.ports import Inspection, Vision, VisionRefused, VisionUnavailable
from hutong.sandbox import faults
from hutong.sandbox.state import State

KEPT = 200

PICTURE_CODES = ("InvalidFile.Size",)
"""Failures of the download that are the picture's fault, not the call's: refused inside `output`."""


async def detect(state: State, vision: Vision, address: str) -> Response:
    """The vendor's answer for the picture at `address`.

    Raises:
        Refusal: the call failed (picture not reachable, nobody to inspect it).
    """
    began = state.now_ms()
    try:
        found = await _inspect(state, vision, address)
    except Refusal as refusal:
        await state.write(remember, began, state.now_ms(), image_path(address), "failed", refusal.code)
        raise
    outcome = "passed" if found["passed"] else "refused"
    await state.write(remember, began, state.now_ms(), image_path(address), outcome, found.get("code"))
    return answer({"output": _output(found), "usage": {"image_count": 1}})


def remember(
    connection: sqlite3.Connection, began_ms: int, ended_ms: int, path: str, outcome: str, code: str | None
) -> None:
    """Keep a call for the page; only the newest are kept."""
    connection.execute(
        "INSERT INTO detects (at_ms, took_ms, image_path, outcome, code) VALUES (?, ?, ?, ?, ?)",
        (began_ms, max(0, ended_ms - began_ms), path, outcome, code),
    )
    connection.execute("DELETE FROM detects WHERE seq <= (SELECT max(seq) FROM detects) - ?", (KEPT,))


def latest(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The newest calls first: at_ms, took_ms, image_path, outcome, code."""
    rows = connection.execute("SELECT * FROM detects ORDER BY seq DESC LIMIT ?", (limit,)).fetchall()
    return [dict(row) for row in rows]


async def _inspect(state: State, vision: Vision, address: str) -> Inspection:
    ordered = await state.write(faults.take, "refuse", "detect", state.now_ms())
    if ordered is not None and ordered.code is not None:
        return _refusal(ordered.code, CODES[ordered.code][1])
    try:
        return await vision.inspect(await fetch(picture_url(address)))
    except VisionRefused as refusal:
        return _refusal(refusal.code, refusal.message)
    except VisionUnavailable as trouble:
        raise Refusal("InternalError.Algo", f"Nobody inspects pictures here: {trouble}") from None
    except Refusal as refusal:
        if refusal.code not in PICTURE_CODES:
            raise
        return _refusal(refusal.code, refusal.message)


def _refusal(code: str, message: str) -> Inspection:
    return {"passed": False, "code": code, "message": message}


def _output(found: Inspection) -> dict[str, Any]:
    if found["passed"]:
        return {"bbox_face": found["face_bbox"], "ext_bbox_face": found["ext_bbox"]}
    return {"code": found["code"], "message": found["message"]}
