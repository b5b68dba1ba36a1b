"""The contract's bodies: `{"code":10000,"data":…,"msg":"success"}`, and problem details for clients that ask for them.

Every error of the kernel resolves to one row of `codes`, by its class or the nearest parent. `msg` is in the caller's
language. Source: contracts/storefront.md "Conventions"; RFC 9457 (problem details).
"""

import math
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel, Field
from starlette.types import Scope

from hutong.apps.storefront.codes import BY_ERROR, BY_NAME, SUCCESS, Code
from hutong.apps.storefront.problems import problems_of, text_of
from hutong.kernel.http.answers import JSON, Parts, row_of
from hutong.kernel.http.languages import Language, language_of
from hutong.kit.errors import HutongError

T = TypeVar("T")
PROBLEM = "application/problem+json"
REALM = "storefront"
HEAD, TAIL = b'{"code":%d,"data":' % SUCCESS, b',"msg":"success"}'
REAL_STATUS = ("/api/payment/notify/", "/api/system/")
"""Whoever calls these is no old client: vendors and load balancers go by the status."""
LONGEST_ACCEPT = 512


class Envelope(BaseModel, Generic[T]):
    """A successful answer, for the API description."""

    code: int = SUCCESS
    data: T
    msg: str = "success"


class Failure(BaseModel):
    """A failed answer, for the API description."""

    code: int
    data: dict[str, Any] | None = None
    msg: str


class Problem(BaseModel):
    """A failed answer as problem details (RFC 9457), for clients that accept `application/problem+json`."""

    type: str = Field(description="Names the kind of problem; the same for each of a code.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    code: int
    name: str = Field(description="The code's name, as in VALIDATION_ERROR.")
    request_id: str
    errors: list[dict[str, Any]] = Field(default=[], description="The fields that are not valid.")


def ok(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A successful answer around JSON-ready data or a model."""
    return Response(wrapped(data), status, headers, JSON)


def wrapped(data: Any) -> bytes:
    """The body of a successful answer."""
    content = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    return HEAD + orjson.dumps(content) + TAIL


def failed(name: str, data: BaseModel, language: Language) -> Response:
    """A failed answer that holds a model all the same."""
    code = BY_NAME[name]
    body = {"code": code.number, "data": data.model_dump(mode="json"), "msg": code.texts[language].title}
    return Response(orjson.dumps(body), code.status, said_in(language), JSON)


def said_in(language: Language) -> dict[str, str]:
    """Headers of an answer whose words are in the caller's language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def code_of(error: HutongError | type[HutongError]) -> Code:
    """The contract's code of an error."""
    return row_of(error, BY_ERROR) or BY_NAME["INTERNAL_ERROR"]


class Bodies:
    """Turns errors into this app's bodies.

    Args:
        always_200: for old clients, that read the code only: errors have HTTP status 200, too.
    """

    def __init__(self, *, always_200: bool = False) -> None:
        self._always_200 = always_200

    def __call__(self, error: HutongError, scope: Scope) -> Parts:
        """Status, headers and body of an error, in the caller's language and in the form that the caller accepts."""
        code, language = code_of(error), language_of(scope)
        if _wants_problem(scope):
            body, kind, status = _problem(error, code, language, scope), PROBLEM, code.status
        else:
            body, kind, status = _failure(error, code, language), JSON, self._status(code, scope)
        return status, _headers(error, code, kind, language), orjson.dumps(body)

    def _status(self, code: Code, scope: Scope) -> int:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return 200 if self._always_200 and not path.startswith(REAL_STATUS) else code.status


def _headers(error: HutongError, code: Code, kind: str, language: Language) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-language", language.encode()),
        (b"vary", b"Accept, Accept-Language"),
    ]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(_seconds(error)).encode()))
    headers.extend((name.encode(), value.encode("latin-1")) for name, value in error.headers.items())
    if code.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="%s"' % REALM.encode()))
    return headers


def _failure(error: HutongError, code: Code, language: Language) -> dict[str, Any]:
    return {"code": code.number, "data": _facts(error, code, language), "msg": message_of(error, code, language)}


def _problem(error: HutongError, code: Code, language: Language, scope: Scope) -> dict[str, Any]:
    facts = _facts(error, code, language) or {}
    return {
        "type": f"urn:hutong:{REALM}:{code.number}",
        "title": code.texts[language].title,
        "status": code.status,
        "detail": message_of(error, code, language),
        "instance": scope["path"],
        "code": code.number,
        "name": code.name,
        "request_id": scope["state"]["request_id"],
        "errors": facts.get("errors", []),
    }


def message_of(error: HutongError, code: Code, language: Language) -> str:
    """The code's sentence, its places filled."""
    text = code.texts[language]
    problems = problems_of(error)
    places: dict[str, Any] = {}
    if error.retry_after is not None:
        places["seconds"] = _seconds(error)
    if problems:
        places |= {"field": problems[0].path, "problem": text_of(problems[0], language)}
    try:
        return (text.detail or text.title).format_map(places)
    except KeyError:
        return text.title


def _facts(error: HutongError, code: Code, language: Language) -> dict[str, Any] | None:
    """What a client may need beside the code: the fields, the reason, the time to wait."""
    if problems := problems_of(error):
        return {"errors": [{"field": one.path, "code": one.kind, "msg": text_of(one, language)} for one in problems]}
    if code.name == "INVALID_REQUEST":
        return {"reason": error.message}
    facts = dict(error.details or {})
    if error.retry_after is not None:
        facts["retry_after"] = _seconds(error)
    return facts or None


def _seconds(error: HutongError) -> int:
    return max(1, math.ceil(error.retry_after or 0))


def _wants_problem(scope: Scope) -> bool:
    """Whether the caller names problem details, and not with a weight of nothing."""
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if PROBLEM.encode() not in accept[:LONGEST_ACCEPT]:
        return False
    for part in accept[:LONGEST_ACCEPT].decode("latin-1").split(","):
        kind, _, rest = part.partition(";")
        if kind.strip().lower() == PROBLEM:
            return rest.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
