"""Errors of OpenAI-compatible providers, by what to do about them. Source: reference/chat.md §2.1; OpenAI's error codes.

Codes and statuses decide. Messages are matched for one thing only, a context that is too long, because vLLM and Qwen say it
no other way. What a provider says of the operator's key or account never goes on to the caller.
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from hutong.kernel.gateway.errors import (
    CallRefused,
    ContextTooLong,
    ModelUnknown,
    ProviderBlocked,
    ProviderDown,
    ProviderFailed,
    ProviderThrottled,
)
from hutong.kernel.observability.logs import redact
from hutong.kit.text import is_clean, shorten

ACCOUNT = frozenset(
    {"insufficient_quota", "invalid_api_key", "billing_hard_limit_reached", "account_deactivated", "Arrearage"}
)
CONTEXT = frozenset({"context_length_exceeded", "string_above_max_length"})
CONTEXT_WORDS = ("maximum context length", "Range of input length should be")
THROTTLED = frozenset({"rate_limit_exceeded", "limit_requests", "Throttling", "engine_overloaded"})
UNKNOWN = frozenset({"model_not_found", "model_not_supported"})
LONGEST_WAIT = 86_400.0
LONGEST_MESSAGE = 500


def failure_of(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderFailed:
    """The gateway error for a status that is not 200.

    Args:
        status, headers, body: the answer; header names in lower case.
        now: for a `Retry-After` that is a date.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    error = content.get("error", content) if isinstance(content, dict) else None
    found = failure_in(error, status, retry_after(headers, now))
    found.may_retry = headers.get("x-should-retry", "").strip().lower() != "false"
    return found


def failure_in(error: Any, status: int = 0, wait: float | None = None) -> ProviderFailed:
    """The gateway error for an `error` object, of an answer or in the middle of a stream.

    Args:
        error: what stands under `error`.
        status: of the answer; 0 in a stream, where the error's own number counts if it has one.
        wait: seconds that the provider asks us to wait.
    """
    fields = error if isinstance(error, dict) else {"message": error}
    code = _text(fields.get("code")) or _text(fields.get("type"))
    number = fields.get("code") if isinstance(fields.get("code"), int) else fields.get("status")
    status = status or (number if isinstance(number, int) else 0)
    message = _text(fields.get("message"))
    kind = _kind(status, {code, _text(fields.get("type"))}, message)
    if issubclass(kind, CallRefused) and kind is not ContextTooLong:
        return kind(_told(message), vendor_code=code)
    return kind(vendor_code=code or (str(status) if status else ""), retry_after=wait)


def _kind(status: int, codes: set[str], message: str) -> type[ProviderFailed]:
    if codes & ACCOUNT or status in {401, 402, 403}:
        return ProviderBlocked
    if codes & CONTEXT or (status in {0, 400, 413, 422} and any(words in message for words in CONTEXT_WORDS)):
        return ContextTooLong
    if codes & THROTTLED or status == 429:
        return ProviderThrottled
    if codes & UNKNOWN or status == 404:
        return ModelUnknown
    if (400 <= status < 500 and status not in {408, 409, 425}) or (not status and "invalid_request_error" in codes):
        return CallRefused
    return ProviderDown


def _told(message: str) -> str | None:
    """What the caller may read of the provider's words; None leaves the error's own."""
    return str(redact(shorten(message, LONGEST_MESSAGE))) if message else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) and is_clean(value) else ""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the provider asks us to wait: `retry-after-ms`, else `Retry-After` in seconds or as a date (RFC 9110)."""
    if (millis := _seconds(headers.get("retry-after-ms", ""))) is not None:
        return min(millis / 1000, LONGEST_WAIT)
    given = headers.get("retry-after", "")
    if (seconds := _seconds(given)) is not None:
        return min(seconds, LONGEST_WAIT)
    try:
        return min(max((parsedate_to_datetime(given) - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError):
        return None


def _seconds(given: str) -> float | None:
    try:
        seconds = float(given)
    except ValueError:
        return None
    return seconds if seconds >= 0 else None  # what is not a number is not heeded, nor is NaN
