"""Inspection and rendering over HTTP on a unix socket, in a process of their own.

`python -m hutong.providers.dashscope.vision.service --socket PATH`; OpenCV, FFmpeg and LiteRT stay out of the API
process, and a picture that crashes a decoder takes only this process down.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hutong.providers.dashscope.vision.faces import Box
from hutong.providers.dashscope.vision.inspection import MAX_BYTES, Passed, Refused, inspect_image
from hutong.providers.dashscope.vision.portrait import FaceLostError
from hutong.providers.dashscope.vision.render import UnknownTemplateError, VideoFacts, render_video, template

WORKERS = 2
"""Threads for pictures: a render and an inspection beside it; each render may need about 200 MB."""
PARENT_POLL_SECONDS = 2.0


def create_app() -> Starlette:
    """The ASGI app; each app owns a pool of worker threads, so that /livez answers while videos render."""
    cv2.setNumThreads(1)
    workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="vision")
    routes = [
        Route("/inspect", _with(workers, _inspect), methods=["POST"]),
        Route("/render", _with(workers, _render), methods=["POST"]),
        Route("/livez", _livez, methods=["GET"]),
    ]
    return Starlette(routes=routes)


Work = Callable[[Request, bytes, ThreadPoolExecutor], Awaitable[Response]]


def _with(workers: ThreadPoolExecutor, work: Work) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _error("InvalidFile.Size", "The image is larger than 10 MB.", 413)
        return await work(request, body, workers)

    return endpoint


async def _body(request: Request) -> bytes | None:
    """The request body, or None as soon as it exceeds the vendor's limit by more than a byte."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BYTES + 1:
            return None
    return bytes(received)


async def _inspect(_: Request, body: bytes, workers: ThreadPoolExecutor) -> Response:
    outcome = await asyncio.get_running_loop().run_in_executor(workers, inspect_image, body)
    match outcome:
        case Passed(face_bbox, ext_bbox):
            return JSONResponse({"passed": True, "face_bbox": face_bbox, "ext_bbox": ext_bbox})
        case Refused(code, message):
            return JSONResponse({"passed": False, "code": code, "message": message})


async def _render(request: Request, body: bytes, workers: ThreadPoolExecutor) -> Response:
    try:
        driven_id = template(request.query_params.get("driven_id", "")).driven_id
        face_bbox = _box(request.query_params.get("face_bbox", ""))
        ext_bbox = _box(request.query_params.get("ext_bbox", ""))
        render = asyncio.get_running_loop().run_in_executor(workers, _rendered, body, driven_id, face_bbox, ext_bbox)
        video, facts = await render
    except (UnknownTemplateError, FaceLostError, OSError, ValueError) as wrong:
        return _error("InvalidParameter", str(wrong), 400)
    headers = {"X-Duration": f"{facts.duration_s:.3f}", "X-Frames": str(facts.frames)}
    return Response(video, media_type="video/mp4", headers=headers)


async def _livez(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _rendered(body: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box) -> tuple[bytes, VideoFacts]:
    with tempfile.TemporaryDirectory(prefix="hutong-vision-") as folder:
        out = Path(folder) / "video.mp4"
        facts = render_video(body, driven_id, face_bbox, ext_bbox, out)
        return out.read_bytes(), facts


def _box(text: str) -> Box:
    """Parses "x1,y1,x2,y2"; raises ValueError for anything else and for empty boxes."""
    numbers = [int(part) for part in text.split(",")] if text else []
    if len(numbers) != 4 or not (0 <= numbers[0] < numbers[2] <= 7000 and 0 <= numbers[1] < numbers[3] <= 7000):
        raise ValueError(f"not a box of four integers x1,y1,x2,y2: {text!r}")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _error(code: str, message: str, status: int) -> Response:
    return JSONResponse({"code": code, "message": message}, status)


def main(socket_path: str, parent: int) -> None:
    """Serves on a unix socket readable only by its owner, until SIGTERM or until the process `parent` is gone."""
    if sys.platform == "linux":
        _die_with_parent()
        _keep_memory()
    path = Path(socket_path)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning", lifespan="off"))
    try:
        asyncio.run(_serve(server, listener, parent))
    finally:
        path.unlink(missing_ok=True)


async def _serve(server: uvicorn.Server, listener: socket.socket, parent: int) -> None:
    watch = asyncio.create_task(_watch_parent(parent))
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()


async def _watch_parent(parent: int) -> None:
    """Ends with the parent also where the system does not see to it, and if it was gone before anybody watched."""
    while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process that it was orphaned
        await asyncio.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with_parent() -> None:
    libc: Any = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    libc.prctl(pr_set_pdeathsig, signal.SIGKILL)  # there is nobody left to finish anything for


def _keep_memory() -> None:
    """Lets glibc keep freed image buffers: handing them back after every frame cost 14 times the page faults."""
    libc: Any = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, 256 << 20)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--socket", required=True, help="path of the unix socket to create")
    arguments.add_argument(
        "--parent", type=int, default=os.getppid(), help="process to end with; the one that started this"
    )
    chosen = arguments.parse_args()
    main(chosen.socket, chosen.parent)
