"""The contract's bodies: `{"code":0,"message":"success","data":…}`, errors with `code` = status×1000+n.

Source: contracts/emoji.md "Conventions". Every dotted code of the kernel resolves to one row here, by its class or the
nearest parent (proved by tests/apps/emoji/contract/test_envelope.py).
"""

import math
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel
from starlette.types import Scope

from hutong.kernel.http.answers import JSON, Parts, row_of
from hutong.kernel.http.languages import language_of
from hutong.kit.errors import HutongError

T = TypeVar("T")

NUMBERS: Mapping[str, int] = {
    "input.invalid": 400001,
    "auth.required": 401002,
    "identity.token_expired": 401001,
    "identity.token_invalid": 401002,
    "identity.token_missing": 401003,
    "payment.required": 402001,
    "auth.forbidden": 403001,
    "http.path_unknown": 404000,
    "resource.not_found": 404001,
    "gateway.model_unknown": 404001,
    "emoji.template_unknown": 404002,
    "http.method_unknown": 405000,
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
    return row_of(error, NUMBERS) or NUMBERS["internal"]


def render(error: HutongError, scope: Scope) -> Parts:
    """Status, headers and body of an error, in the caller's language."""
    number, language = number_of(error), language_of(scope)
    text = CHINESE[number] if language == "zh-CN" else error.message
    headers = [
        (b"content-type", JSON.encode()),
        (b"content-language", language.encode()),
        (b"vary", b"Accept-Language"),
    ]
    status = number // 1000
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
    headers.extend((name.encode(), value.encode("latin-1")) for name, value in error.headers.items())
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="emoji"'))
    return status, headers, orjson.dumps({"code": number, "message": text, "data": error.details})
