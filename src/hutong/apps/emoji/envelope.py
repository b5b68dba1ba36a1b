"""The contract's bodies: `{"code":0,"message":"success","data":…}`, errors with `code` = status×1000+n.

Source: contracts/emoji.md "Conventions". Every dotted code of the kernel resolves to one row here, by its class or the
nearest parent (proved by tests/apps/emoji/contract/test_envelope.py).
"""

import math
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Scope

from hutong.kernel.http.languages import Language, negotiate
from hutong.kernel.http.methods import allowed_methods
from hutong.kit.errors import HutongError

T = TypeVar("T")
JSON = "application/json"

NUMBERS: Mapping[str, int] = {
    "input.invalid": 400001,
    "auth.required": 401002,
    "identity.token_expired": 401001,
    "identity.token_invalid": 401002,
    "identity.token_missing": 401003,
    "payment.required": 402001,
    "auth.forbidden": 403001,
    "resource.not_found": 404001,
    "emoji.template_unknown": 404002,
    "resource.conflict": 409001,
    "emoji.task_not_cancellable": 409002,
    "input.too_large": 413001,
    "emoji.no_face": 422001,
    "emoji.several_faces": 422002,
    "input.unprocessable": 422003,
    "idempotency.reused": 422009,
    "limit.exceeded": 429001,
    "internal": 500000,
    "upstream.failed": 502001,
    "service.unavailable": 503001,
}
PATH_UNKNOWN, METHOD_UNKNOWN = 404000, 405000

CHINESE: Mapping[int, str] = {
    400001: "请求内容有误,请检查后重试",
    401001: "登录已过期,请重新登录",
    401002: "登录凭证无效,请重新登录",
    401003: "请先登录:缺少 Authorization: Bearer 令牌",
    402001: "积分不足",
    403001: "无权进行此操作",
    404000: "没有这个地址",
    404001: "没有找到",
    404002: "没有这个模板",
    405000: "此地址不支持该请求方法",
    409001: "同一请求正在处理中,请稍后再试",
    409002: "任务已开始处理,无法取消",
    413001: "文件或请求过大",
    422001: "照片中没有检测到人脸",
    422002: "照片中有多张人脸,请使用单人照片",
    422003: "照片未通过检测,请换一张",
    422009: "该 Idempotency-Key 已用于另一个请求",
    429001: "请求过于频繁,请稍后再试",
    500000: "服务器内部错误",
    502001: "图像服务出错,请稍后再试",
    503001: "服务暂不可用,请稍后再试",
}


class Envelope(BaseModel, Generic[T]):
    """A successful answer, for the API description."""

    code: int = 0
    message: str = "success"
    data: T


class Failure(BaseModel):
    """A failed answer, for the API description."""

    code: int
    message: str
    data: dict[str, Any] | None = None


def ok(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A successful answer around JSON-ready data or a model."""
    content = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    body = orjson.dumps({"code": 0, "message": "success", "data": content})
    return Response(body, status, headers, JSON)


def number_of(error: HutongError) -> int:
    """The contract's code of an error: its class's row, or its nearest parent's."""
    for cls in type(error).__mro__:
        number = NUMBERS.get(cls.__dict__.get("code", ""))
        if number is not None:
            return number
    return NUMBERS["internal"]


def render(error: HutongError, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error, in the caller's language."""
    number = number_of(error)
    return _failure(number, error.message, error.details, scope, error.retry_after)


def _failure(
    number: int, message: str, details: Any, scope: Scope, retry_after: float | None = None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    language = _language(scope)
    text = CHINESE[number] if language == "zh-CN" else message
    headers = [
        (b"content-type", JSON.encode()),
        (b"content-language", language.encode()),
        (b"vary", b"Accept-Language"),
    ]
    status = number // 1000
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="emoji"'))
    return status, headers, orjson.dumps({"code": number, "message": text, "data": details})


def _language(scope: Scope) -> Language:
    accept = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    return negotiate(accept.decode("latin-1"))


def install(app: FastAPI) -> None:
    """Make every error of `app` leave in this form."""
    app.add_exception_handler(HutongError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)


def _answer(parts: tuple[int, list[tuple[bytes, bytes]], bytes]) -> Response:
    status, headers, body = parts
    response = Response(body, status)
    response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
    return response


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HutongError)
    return _answer(render(error, request.scope))


async def _on_defect(request: Request, error: Exception) -> Response:
    """What nobody expected: the edge logs it, for it is raised on after this answer; its text is for nobody else."""
    return _answer(render(HutongError("Something went wrong on our side."), request.scope))


async def _on_invalid(request: Request, error: Exception) -> Response:
    """Name the fields and what is wrong with them, never what was sent."""
    assert isinstance(error, RequestValidationError)
    fields = [
        {
            "field": ".".join(map(str, item["loc"][1:])) or "body",
            "problem": item["msg"].removeprefix("Value error, "),
        }
        for item in error.errors()
    ]
    first = fields[0] if fields else {"field": "body", "problem": "is missing"}
    message = f"{first['field']}: {first['problem']}"
    return _answer(_failure(400001, message, {"fields": fields[:20]}, request.scope))


async def _on_http(request: Request, error: Exception) -> Response:
    """What the router itself refuses: unknown paths and methods, malformed multipart bodies."""
    assert isinstance(error, HTTPException)
    number = {404: PATH_UNKNOWN, 405: METHOD_UNKNOWN, 413: 413001}.get(error.status_code, 400001)
    message = {PATH_UNKNOWN: "There is nothing at this path.", METHOD_UNKNOWN: "This path does not take that method."}
    response = _answer(_failure(number, message.get(number, str(error.detail)), None, request.scope))
    if number == METHOD_UNKNOWN:
        own = (error.headers or {}).get("Allow", "")  # of a mounted folder, or of the first route that fits
        response.headers["Allow"] = allowed_methods(request.app.routes, request.scope) or own
    return response
