"""Structured logs: JSON lines on stderr (or colours on a terminal), with secrets taken out by the logger itself.

Sources: contracts/emoji.md "Operations"; reference/reliability.md attacks S1 and S2 (canaries, log forging).
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, cast

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from hutong.kit.text import shorten

REDACTED = "[redacted]"
MAX_FIELD = 2_000
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|signature|credential|device_id|session|otp|card",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"(?P<keep>Bearer\s+|[?&](?:sig|signature|token|key)=)[^\s&\"']+|\bsk-[A-Za-z0-9_-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+",
    re.IGNORECASE,
)
LogFormat = Literal["json", "console", "auto"]


def redact(value: Any, name: str = "") -> Any:
    """`value` with what looks like a secret, by its field's name or by its own form, replaced and long text cut."""
    if name and _SECRET_NAME.search(name) and value is not None and not isinstance(value, bool | int | float):
        return REDACTED
    if isinstance(value, str):
        return shorten(_SECRET_VALUE.sub(lambda hit: (hit["keep"] or "") + REDACTED, value), MAX_FIELD)
    if isinstance(value, Mapping):
        return {str(key): redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return value


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        event[name] = redact(value, name)
    return event


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(level: str = "info", form: LogFormat = "auto", *, process: str = "hutong") -> None:
    """Set up logging for this process.

    Args:
        level: debug, info, warning or error.
        form: `json` lines, `console` colours, or `auto` (colours only on a terminal).
        process: name of the process in every line (api, worker, …).
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else _render_json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process, pid=os.getpid())
    _bridge_standard_logging(level, shared, renderer)


def _bridge_standard_logging(level: str, shared: list[Any], renderer: Any) -> None:
    """Send what libraries log through the same redaction and form."""
    handler = logging.StreamHandler(sys.stderr)
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
