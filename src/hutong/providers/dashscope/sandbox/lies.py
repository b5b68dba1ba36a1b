"""Answers that are not true: what a broken proxy, a mixed-up cache or a hostile host in between would send.

A lie is told about one thing: the answer to a create, to any query, to the query of a finished task, or the video itself.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hutong.providers.dashscope.sandbox.answers import answer, task_answer, unknown_task
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.sandbox.hangup import transport_of

Subject = Literal["create", "query", "result", "video"]

ABOUT: Mapping[str, Subject] = {
    "no-id": "create",
    "garbage": "query",
    "wrong-task": "query",
    "no-url": "result",
    "bad-url": "result",
    "foreign-url": "result",
    "stale": "result",
    "not-video": "video",
    "too-large": "video",
    "cut-short": "video",
}
"""Every lie, and what it is told about; `result` is the answer to the query of a task that has ended."""

FOREIGN = "https://videos.example/somebody-else.mp4"
ENDLESS = 256 * 1024 * 1024
PIECE = bytes(256 * 1024)


def about_create() -> Response:
    """The task was accepted, and the answer does not say which it is."""
    return answer({"output": {"task_status": "PENDING"}})


def about_query(lie: str, task: Task, other: Task | None, link: str | None, other_link: str | None) -> Response:
    """What a query gets instead of the truth.

    Args:
        lie: one of those about `query` or `result`.
        task, link: what was asked for.
        other, other_link: another finished task, for answers that were mixed up.
    """
    if lie == "garbage":
        return HTMLResponse("<html><body>upstream connect error</body></html>")
    if lie == "wrong-task":
        return answer(unknown_task("somebody-else") if other is None else task_answer(other, other_link))
    if lie == "stale":
        return answer({"output": {"task_id": task.id, "task_status": "PENDING"}})
    return answer(_without_link(task_answer(task, link), lie))


def _without_link(body: dict[str, Any], lie: str) -> dict[str, Any]:
    output = body["output"] | {"task_status": "SUCCEEDED"}
    output.pop("video_url", None)
    replaced = {"bad-url": 404, "foreign-url": FOREIGN}.get(lie)
    return body | {"output": output if replaced is None else output | {"video_url": replaced}}


def about_video(lie: str, file: Path) -> Response:
    """What the link of a finished video gives instead of it."""
    if lie == "not-video":
        return HTMLResponse("<html><body>Please sign in to the network.</body></html>")
    if lie == "too-large":
        return StreamingResponse(_endless(file), media_type="video/mp4")
    return CutShort(file)


def _endless(file: Path) -> Iterator[bytes]:
    """The video, and behind it more than anybody asked for; without a length, so that only counting helps."""
    yield file.read_bytes()
    for _ in range(ENDLESS // len(PIECE)):
        yield PIECE


class CutShort(Response):
    """Half a video under the length of a whole one; then the connection ends."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        video = self._file.read_bytes()
        headers = [(b"content-type", b"video/mp4"), (b"content-length", str(len(video)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": video[: len(video) // 2], "more_body": True})
        transport = transport_of(receive)
        if transport is not None:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass
