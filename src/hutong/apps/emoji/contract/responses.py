"""What routes answer beside success, for the API description: `responses=failures(404001)` on a route.

Source: docs/apps/emoji/contract.md "Codes".
"""

from collections.abc import Mapping
from typing import Any

from hutong.apps.emoji.envelope import Failure
from hutong.kernel.http.answers import JSON

REASONS: Mapping[int, str] = {
    400001: "A field, the query or the picture is not valid.",
    401001: "The token has expired.",
    401002: "The token is not valid.",
    401003: "There is no token.",
    402001: "Not enough points.",
    403001: "The account is blocked.",
    404001: "There is no such task of the caller's.",
    404002: "There is no such template.",
    409001: "A request with this Idempotency-Key is still being worked on.",
    409002: "The task is being worked on.",
    413001: "The picture or the body is too large.",
    422001: "No face was found in the picture.",
    422002: "Several faces were found in the picture.",
    422003: "The picture was refused for another reason.",
    422009: "The Idempotency-Key was used with another request.",
    429001: "Too many requests.",
    500000: "Something went wrong on our side.",
    502001: "The image service failed, is busy or gave no answer.",
    503001: "Not ready.",
}
ALWAYS = (400001, 429001, 500000, 503001)
SIGNED_IN = (401001, 401002, 401003)
WITH_BODY = (413001,)
Responses = dict[int | str, dict[str, Any]]


def failures(*numbers: int) -> Responses:
    """The failures of a route: those of every route, and these codes of the contract."""
    by_status: dict[int | str, list[int]] = {}
    for number in sorted({*ALWAYS, *numbers}):
        by_status.setdefault(number // 1000, []).append(number)
    return {status: _response(found) for status, found in by_status.items()}


def _response(numbers: list[int]) -> dict[str, Any]:
    examples = {
        str(number): {"value": {"code": number, "message": REASONS[number], "data": None}} for number in numbers
    }
    meaning = " ".join(f"{number}: {REASONS[number]}" for number in numbers)
    return {"model": Failure, "description": meaning, "content": {JSON: {"examples": examples}}}
