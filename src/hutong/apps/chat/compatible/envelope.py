"""Errors in OpenAI's words: `{"error":{"message","type","param","code"}}`, with the headers that its clients go by.

What concerns the operator's own account at a provider is never shown as the caller's: it reads "not available", 503.
Source: reference/chat.md §2.1 (codes, what clients retry), §4.4.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from starlette.types import Scope

from hutong.apps.chat.compatible.errors import ParameterInvalid
from hutong.kernel.http.answers import JSON, Parts, row_of
from hutong.kernel.http.strict import FieldsInvalid
from hutong.kit.errors import HutongError

PREFIX = "/v1/"
INVALID, SERVER = "invalid_request_error", "server_error"


class Words(NamedTuple):
    """How OpenAI says an error: status, `type`, `code` and the parameter at fault, where it is always the same."""

    status: int
    type: str
    code: str | None = None
    param: str | None = None


ROWS: Mapping[str, Words] = {
    "internal": Words(500, SERVER),
    "input.invalid": Words(400, INVALID),
    "input.too_large": Words(413, INVALID, "request_too_large"),
    "input.unprocessable": Words(400, INVALID),
    "payment.required": Words(429, "insufficient_quota", "insufficient_quota"),
    "auth.required": Words(401, INVALID, "invalid_api_key"),
    "auth.forbidden": Words(403, INVALID, "permission_denied"),
    "resource.not_found": Words(404, INVALID, "not_found"),
    "resource.conflict": Words(409, INVALID, "conflict"),
    "http.path_unknown": Words(404, INVALID, "unknown_url"),
    "http.method_unknown": Words(405, INVALID, "method_not_allowed"),
    "http.body_of_another_kind": Words(415, INVALID, "unsupported_media_type"),
    "limit.exceeded": Words(429, "requests", "rate_limit_exceeded"),
    "quotas.exhausted": Words(429, "insufficient_quota", "insufficient_quota"),
    "upstream.failed": Words(502, SERVER, "provider_failed"),
    "service.unavailable": Words(503, SERVER, "service_unavailable"),
    "compatible.previous_unknown": Words(400, INVALID, "previous_response_not_found", "previous_response_id"),
    "compatible.previous_running": Words(400, INVALID, None, "previous_response_id"),
    "gateway.throttled": Words(503, SERVER, "engine_overloaded"),
    "gateway.blocked": Words(503, SERVER, "model_not_available"),
    "gateway.rejected": Words(502, SERVER, "provider_failed"),
    "gateway.too_slow": Words(504, SERVER, "provider_timeout"),
    "gateway.call_refused": Words(400, INVALID),
    "gateway.context_too_long": Words(400, INVALID, "context_length_exceeded", "messages"),
    "gateway.model_unknown": Words(404, INVALID, "model_not_found", "model"),
    "gateway.model_forbidden": Words(403, INVALID, "model_not_found", "model"),
    "gateway.interrupted": Words(502, SERVER, "stream_interrupted"),
}


def words_of(error: HutongError) -> Words:
    """The row of an error, or of the nearest kind that has one."""
    return row_of(error, ROWS) or ROWS["internal"]


def error_object(error: HutongError) -> dict[str, Any]:
    """What stands under `error`, in a body or in an event of a stream."""
    words = words_of(error)
    return {"message": error.message, "type": words.type, "param": _param(error) or words.param, "code": words.code}


def render(error: HutongError, scope: Scope) -> Parts:
    """Status, headers and body of an error."""
    words = words_of(error)
    headers = [(b"content-type", JSON.encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    headers.extend((name.encode(), value.encode()) for name, value in error.headers.items())
    if words.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="chat"'))
    return words.status, headers, orjson.dumps({"error": error_object(error)})


def _param(error: HutongError) -> str | None:
    if isinstance(error, ParameterInvalid):
        return error.parameter
    if isinstance(error, FieldsInvalid):
        path = error.problems[0].path
        return None if path in {"body", "query"} else path
    return None
