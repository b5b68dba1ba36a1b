"""The app's OpenAPI document: FastAPI's, with the headers of answers, without what this app never answers."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from hutong.kernel.http.answers import JSON

HEADERS: dict[str, Any] = {
    "X-Request-ID": {
        "description": "Names this request in logs; the one that was sent, if it was 8 to 64 of `A-Za-z0-9._-`.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "Content-Language": {
        "description": "Language of `message`, after Accept-Language.",
        "required": True,
        "schema": {"type": "string", "enum": ["en", "zh-CN"]},
    },
    "Retry-After": {
        "description": "Seconds after which another try makes sense, where they are known.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "The scheme to use.", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "Of this configuration, for If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
}
NOT_OURS = ("HTTPValidationError", "ValidationError")
WAITING = {"409", "429", "502", "503"}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()`, and so `/openapi.json`, the complete document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    document["components"]["headers"] = HEADERS
    shared = document["components"].setdefault("responses", {})
    for operation in _operations(document):
        responses = operation["responses"]
        for status, response in list(responses.items()):
            if _is_frameworks_own(response):
                del responses[status]
                continue
            response["headers"] = _headers(status, response)
            if examples := response.get("content", {}).get(JSON, {}).get("examples"):
                shared["-".join(examples)] = response
                responses[status] = {"$ref": f"#/components/responses/{'-'.join(examples)}"}
    for name in NOT_OURS:
        document["components"]["schemas"].pop(name, None)
    document["components"] = {name: dict(sorted(part.items())) for name, part in document["components"].items()}
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def _is_frameworks_own(response: dict[str, Any]) -> bool:
    """FastAPI adds its 422 to each route with parameters; here those answers are 400001."""
    return "HTTPValidationError" in str(response.get("content"))


def _headers(status: str, response: dict[str, Any]) -> dict[str, Any]:
    names = ["X-Request-ID"]
    if "/Failure" in str(response.get("content")):
        names.append("Content-Language")
    if status == "401":
        names.append("WWW-Authenticate")
    if status in WAITING:
        names.append("Retry-After")
    own: dict[str, Any] = response.get("headers", {})
    return own | {name: {"$ref": f"#/components/headers/{name}"} for name in names}
