"""An app's OpenAPI document: FastAPI's, with the headers of answers, without what our apps never answer.

A failed answer is known by its model, which every app calls `Failure`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from hutong.kernel.http.answers import JSON

HEADERS: Mapping[str, Any] = {
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
}
"""What answers of every app carry."""
NOT_OURS = ("HTTPValidationError", "ValidationError")
WAITING = {"409", "429", "502", "503"}


def describe(app: FastAPI, headers: Mapping[str, Any], schemas: Mapping[str, Any] | None = None) -> None:
    """Make `app.openapi()`, and so `/openapi.json`, the complete document.

    Args:
        app: with all its routes, or before they are added.
        headers: of its answers beside those of every app, or in place of one of them.
        schemas: that no route names by a model.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate(), {**HEADERS, **headers}, schemas or {})
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _completed(document: dict[str, Any], headers: dict[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    document["components"]["headers"] = headers
    document["components"]["schemas"].update(schemas)
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
    """FastAPI adds its 422 to each route with parameters; our apps answer in their own form."""
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
