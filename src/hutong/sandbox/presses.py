"""Pressing a button of a sandbox's page, from the page (a form) or from a script (JSON)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.requests import Request

MAX_FORM = 16 * 1024


class Denied(Exception):
    """A press that is not carried out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def wants_json(request: Request) -> bool:
    """Whether the state is wanted back, and not the page."""
    return "application/json" in request.headers.get("accept", "")


def check_origin(request: Request) -> None:
    """Another site's page must not press buttons in this browser; scripts send neither header.

    Raises:
        Denied: 403.
    """
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or site not in {"none", "same-origin"}:
        raise Denied(403, "ForeignOrigin", "Buttons can be pressed on the sandbox's own page and from scripts only.")


async def fields_of(request: Request) -> dict[str, Any]:
    """What the form or the JSON says, 16 KB at most.

    Raises:
        Denied: 400 or 413.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_FORM:
            raise Denied(413, "TooLarge", "The form is too large.")
    try:
        if "application/json" in request.headers.get("content-type", ""):
            body = orjson.loads(received or b"{}")
        else:
            body = dict(parse_qsl(received.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise Denied(400, "InvalidParameter", "The body is neither a form nor JSON.") from None
    if not isinstance(body, dict):
        raise Denied(400, "InvalidParameter", "The body must be an object.")
    return body
