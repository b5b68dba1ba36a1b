"""Structured logs: JSON lines on stderr (or colours on a terminal), with secrets taken out by the logger itself.

Sources: contracts/emoji.md "Operations"; contracts/chat.md "Observability" (names of a JSON line);
reference/reliability.md attacks S1 and S2 (canaries, log forging).
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from hutong.kit.text import shorten

REDACTED = "[redacted]"
MAX_FIELD = 2_000
MAX_EXCEPTION = 10_000
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|signature|credential|device_id|session|otp|card",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"""(?P<keep>
        \bBearer\s+                                         # Authorization: Bearer …
      | [?&](?:sig|key|\w{0,16}AccessKeyId)=                # signed links
      | ://[^\s/:@]{0,64}:(?=[^\s/@]{1,512}@)               # postgresql://user:…@host
      | (?:password|passwd|secret|token|authorization|cookie|api_?key|signature|credential|device_id|session|\botp|\bcard)
        [\w-]{0,24}["']?\s{0,4}[:=]\s{0,4}(?:b?["'])?        # password=…, "access_token": "…"
        (?:(?:Bearer|Basic|Digest)\s+)?
    )(?:(?<=:)[^\s/@]+(?=@)|[^\s&"',;)}\]]+)
  | \b[sh]k-[\w-]{8,}                                       # a vendor's key, or one of ours
  | \beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?                    # a signed token""",
    re.IGNORECASE | re.VERBOSE,
)
_MARKS = ("=", ":", "sk-", "hk-", "eyJ")
LogFormat = Literal["json", "console", "auto"]


def redact(value: Any, name: str = "") -> Any:
    """`value` with what looks like a secret, by its field's name or by its own form, replaced and long text cut.

    Only numbers stay what they are: anything else becomes text here, because a renderer that did it later would show
    what the object holds.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if name and _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {_text(key): redact(item, _text(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return _redact_items(list(value))
    return _redact_text(_text(value), name)


def _redact_items(items: list[Any]) -> list[Any]:
    """A list's items; a pair may be a header, whose first item is its name."""
    if len(items) == 2 and isinstance(items[0], str | bytes):
        return [redact(items[0]), redact(items[1], _text(items[0]))]
    return [redact(item) for item in items]


def _redact_text(text: str, name: str) -> str:
    """A traceback says what happened in its last line, any other text in its first ones."""
    if name == "exception":
        return _without_secrets(text)[-MAX_EXCEPTION:]
    return shorten(_without_secrets(text[: MAX_FIELD * 2]), MAX_FIELD)


def _without_secrets(text: str) -> str:
    """`text` without what looks like a secret; most text lacks every mark of one, and costs next to nothing."""
    if not any(mark in text for mark in _MARKS) and "bearer" not in text.lower():
        return text
    return _SECRET_VALUE.sub(lambda hit: (hit["keep"] or "") + REDACTED, text)


def _text(value: Any) -> str:
    """`value` as text. Never raises: a line of the log must not break what it tells about."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "replace")
        return repr(value) if isinstance(value, BaseException) else str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        event[name] = redact(value, name)
    return event


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """What happened, with control characters spelt out, so that nobody can forge a second line on a console."""
    event["event"] = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(event["event"]))
    return event


def _named(event: EventDict) -> EventDict:
    """The line with the contract's names first: timestamp, level, logger, message. A library's logger has its name already."""
    head = {
        "timestamp": event.pop("at", None),
        "level": str(event.pop("level", "info")).upper(),
        "logger": event.pop("part", None) or event.pop("logger", None),
        "message": event.pop("event", None),
    }
    return {**head, **event, **head}


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    event = _named(event)
    try:
        return orjson.dumps(event).decode()
    except TypeError:  # lone surrogates, numbers beyond 64 bits
        return json.dumps(event, default=_text)


class Unfailing:
    """A stream whose failures are swallowed: a full disk under the log must not break what the log tells about."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if that is possible."""
        with suppress(OSError, ValueError):  # no room, or closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str = "info", form: LogFormat = "auto", *, process: str = "hutong") -> None:
    """Set up logging for this process.

    Args:
        level: debug, info, warning or error.
        form: `json` lines, `console` colours, or `auto` (colours only on a terminal).
        process: name of the process in every line (api, worker, …).
    """
    stream = cast(TextIO, Unfailing(sys.stderr))
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else _render_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        _redact_event,
        _on_one_line,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process, pid=os.getpid())
    _bridge_standard_logging(level, shared, renderer, stream)


def _bridge_standard_logging(level: str, shared: list[Any], renderer: Any, stream: TextIO) -> None:
    """Send what libraries log through the same redaction and form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.WARNING))


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one part of Hutong, `name` as in `jobs.worker`."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(part=name))
