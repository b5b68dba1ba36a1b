"""What routes answer beside success, for the API description: `responses=failures("ORDER_NOT_FOUND")` on a route.

Source: docs/apps/storefront/contract.md "Codes".
"""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from hutong.apps.storefront.codes import BY_NAME, Code
from hutong.apps.storefront.envelope import PROBLEM, Failure, Problem
from hutong.kernel.http.answers import JSON

LANGUAGE = "Content-Language"
HEADERS: Mapping[str, Any] = {
    LANGUAGE: {
        "description": "Language of `msg`, and of names: the user's own choice, else after Accept-Language.",
        "required": True,
        "schema": {"type": "string", "enum": ["en", "zh-CN"]},
    },
}
ALWAYS = ("INVALID_REQUEST", "VALIDATION_ERROR", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE")
SIGNED_IN = ("MISSING_CREDENTIALS", "AUTH_INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "TOKEN_TYPE_ERROR")
WITH_BODY = ("TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
MAIL_CODE = ("CODE_INVALID", "CODE_EXPIRED", "ATTEMPTS_EXCEEDED")
NEW_PASSWORD = ("PASSWORD_WEAK",)
Responses = dict[int | str, dict[str, Any]]
NAMED: Responses = {200: {"headers": {LANGUAGE: {"$ref": f"#/components/headers/{LANGUAGE}"}}}}
"""Of a route whose success holds words in the caller's language."""


def failures(*names: str) -> Responses:
    """The failures of a route: those of every route, and these codes of the contract."""
    by_status: dict[int | str, list[Code]] = {}
    for code in sorted((BY_NAME[name] for name in {*ALWAYS, *names}), key=lambda code: code.number):
        by_status.setdefault(code.status, []).append(code)
    return {status: _response(found) for status, found in sorted(by_status.items())}


def problem_schema() -> Mapping[str, Any]:
    """The schema of problem details, which stand beside each failure."""
    found = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")[1]
    schemas: Mapping[str, Any] = found["$defs"]
    return schemas


def _response(codes: list[Code]) -> dict[str, Any]:
    examples = {
        str(code.number): {
            "summary": code.name,
            "value": {"code": code.number, "data": None, "msg": code.texts["en"].title},
        }
        for code in codes
    }
    meaning = " ".join(f"{code.number} {code.name}: {code.texts['en'].title}" for code in codes)
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"model": Failure, "description": meaning, "content": {JSON: {"examples": examples}, PROBLEM: problem}}
