"""The sandbox as an ASGI app: the vendor's API, the result links, and the page with its buttons.

Reference: DashScope emoji-detect-v1, emoji-v1, asynchronous task management.
"""

import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from hutong.kit.clock import Clock, SystemClock
from hutong.providers.dashscope.sandbox import admission, control, detects, links, orders, page, queue, schema
from hutong.providers.dashscope.sandbox.answers import (
    TASK_LIFE_MS,
    Refusal,
    answer,
    listed_task,
    refused,
    task_answer,
    unknown_task,
)
from hutong.providers.dashscope.sandbox.ports import Call, Vision
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.providers.dashscope.sandbox.runner import Runner
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.sandbox import faults
from hutong.sandbox.hangup import Hangup
from hutong.sandbox.state import State, link_secret

Endpoint = Callable[[Request], Awaitable[Response]]


class Sandbox:
    """One process's part in the stand-in: endpoints, state, and the runner that whoever mounts the app must start."""

    def __init__(self, settings: SandboxSettings, vision: Vision, clock: Clock) -> None:
        self.settings = settings
        self.state = State(settings.database, clock, schema.TABLES, schema.VERSION)
        self.runner = Runner(self.state, vision, settings)
        self._vision = vision

    async def start(self) -> None:
        """Begin to render waiting tasks; without it this process only answers, and another one must render."""
        await self.runner.start()

    async def close(self) -> None:
        """Stop rendering and close the file. `vision` stays open: it belongs to whoever made it."""
        await self.runner.close()
        await self.state.close()

    async def detect(self, request: Request) -> Response:
        """POST …/face-detect: passed, refused inside `output` (both billed, 200), or a failed call."""
        await self._admit(request, "detect")
        address = orders.detect_url(await orders.json_body(request))
        return await detects.detect(self.state, self._vision, address)

    async def create(self, request: Request) -> Response:
        """POST …/video-synthesis: a task at the end of the line; `X-DashScope-Async: enable` is a must."""
        await self._admit(request, "create")
        if request.headers.get("x-dashscope-async", "").lower() != "enable":
            raise Refusal("AccessDenied", "current user api does not support synchronous calls")
        order = orders.order(await orders.json_body(request))
        submitted = await self.state.write(queue.submit, order, self.settings.limits(), self.state.now_ms())
        self.runner.ring()
        if submitted.lost:
            return Hangup()
        return answer({"output": {"task_id": order.task_id, "task_status": "PENDING"}}, request=order.request_id)

    async def query(self, request: Request) -> Response:
        """GET …/tasks/{task_id}: 200 in every case, UNKNOWN included."""
        await self._admit(request, "query")
        task_id = request.path_params["task_id"]
        task = await self.state.read(queue.find, task_id)
        if await self.state.write(faults.take, "lose", "query", self.state.now_ms()):
            return Hangup()
        if task is None or task.forgotten or task.submit_ms + TASK_LIFE_MS <= self.state.now_ms():
            return answer(unknown_task(task_id))
        return answer(task_answer(task, await self._link(task)))

    async def list_tasks(self, request: Request) -> Response:
        """GET …/tasks/: the account's tasks of a span of 24 hours, newest first."""
        await self._admit(request, "query")
        number, size = orders.page(request.query_params)
        wanted = orders.conditions(request.query_params, self.state.now_ms())
        total, tasks = await self.state.read(queue.page_of, wanted, (number - 1) * size, size)
        rows = [listed_task(task) for task in tasks]
        return answer(
            {"data": rows, "total": total, "total_page": -(-total // size), "page_no": number, "page_size": size}
        )

    async def cancel(self, request: Request) -> Response:
        """POST …/tasks/{task_id}/cancel: only while it is PENDING."""
        await self._admit(request, "query")
        if not await self.state.write(queue.cancel, request.path_params["task_id"], self.state.now_ms()):
            raise Refusal("UnsupportedOperation")
        return answer({})

    async def video(self, request: Request) -> Response:
        """GET /videos/{name}.mp4: what `video_url` leads to; Range and HEAD as OSS, XML when the link is no good."""
        task_id, now = request.path_params["task_id"], self.state.clock.now()
        wrong = links.trouble(await self.state.read(link_secret), task_id, request.query_params, now)
        if wrong is not None:
            return links.xml_answer(wrong, now)
        task = await self.state.read(queue.find, task_id)
        if task is not None and task.link_dead:
            return links.xml_answer("Expired", now)
        file = self.settings.videos / f"{task_id}.mp4"
        if task is None or not file.is_file():
            return links.xml_answer("NoSuchKey", now)
        return FileResponse(file, media_type="video/mp4")

    async def _link(self, task: Task) -> str | None:
        if task.link_expires is None:
            return None
        secret = await self.state.read(link_secret)
        return self.settings.public_url.rstrip("/") + links.video_path(secret, task.id, task.link_expires)

    async def _admit(self, request: Request, call: Call) -> None:
        """Key, then ordered errors, then the rate.

        Raises:
            Refusal: the call gets no service.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not key or scheme.lower() != "bearer":
            raise Refusal("InvalidApiKey", "No API-key provided.")
        if not any(hmac.compare_digest(key.strip().encode(), good.encode()) for good in self.settings.api_keys):
            raise Refusal("InvalidApiKey")
        code = await self.state.write(admission.admit, call, self.settings.limits(), self.state.now_ms())
        if code is not None:
            raise Refusal(code)


def create_sandbox(settings: SandboxSettings, vision: Vision, clock: Clock | None = None) -> Starlette:
    """The app; `app.state.sandbox` is the `Sandbox`, whose `start` and `close` the host calls in its own lifespan.

    Served alone, the app's lifespan calls them.
    """
    sandbox = Sandbox(settings, vision, clock or SystemClock())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await sandbox.start()
        try:
            yield
        finally:
            await sandbox.close()

    app = Starlette(
        routes=_routes(sandbox),
        lifespan=lifespan,
        exception_handlers={Refusal: _refusal, 404: _no_such_path, 405: _no_such_path},
    )
    app.state.sandbox = sandbox
    return app


def _routes(sandbox: Sandbox) -> list[Route]:
    models, tasks = "/api/v1/services/aigc/image2video", "/api/v1/tasks"
    buttons = control.Control(sandbox.settings, sandbox.state, sandbox.runner)
    view = page.Page(sandbox.settings, sandbox.state)
    table: list[tuple[str, str, Endpoint]] = [
        ("POST", f"{models}/face-detect", sandbox.detect),
        ("POST", f"{models}/video-synthesis", sandbox.create),
        ("GET", f"{tasks}/", sandbox.list_tasks),
        ("GET", tasks, sandbox.list_tasks),
        ("GET", f"{tasks}/{{task_id}}", sandbox.query),
        ("POST", f"{tasks}/{{task_id}}/cancel", sandbox.cancel),
        ("GET", "/videos/{task_id}.mp4", sandbox.video),
        ("GET", "/", view.show),
        ("GET", "/control/tasks", buttons.tasks),
        ("GET", "/control/state", buttons.state),
        ("POST", "/control/{action}", buttons.press),
    ]
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]


async def _refusal(_: Request, refusal: Exception) -> Response:
    return refused(refusal if isinstance(refusal, Refusal) else Refusal("InternalError"))


async def _no_such_path(_: Request, __: Exception) -> Response:
    return refused(Refusal("InvalidParameter", "url error, please check url！"))
