"""Verifying the form of a direct upload: its V4 signature, its policy's time, and each of its conditions.

Source: Aliyun OSS "PostObject", "POST V4 signature", "Appendix: Policy"; EC pages 0006-00000201 to 0006-00000227.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from hutong.providers.oss.sandbox.answers import OssRefusal
from hutong.providers.oss.sandbox.signatures import (
    ALGORITHM,
    WEEK_SECONDS,
    Verifier,
    check_date,
    expired,
    mismatch,
    moment_of,
    same,
    scope_of,
    signing_key,
)

SIGNED = "x-oss-signature-version", "x-oss-credential", "x-oss-date"
TESTS: Mapping[str, Callable[[str, Any], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "starts-with": lambda value, wanted: value.startswith(wanted),
    "in": lambda value, wanted: value in wanted,
    "not-in": lambda value, wanted: value not in wanted,
}


@dataclass(frozen=True, slots=True)
class SizeRange:
    """How many bytes a policy allows."""

    least: int
    most: int


def check_form(fields: Mapping[str, str], bucket: str, verifier: Verifier, now: datetime) -> SizeRange:
    """That a form may be carried out, but for its file's size; the answer is which sizes may.

    Args:
        fields: by their names in lower case; `content-type` is the file's own where the form has none.
        bucket: that it was sent to.
        verifier: knows keys and region.
        now: the sandbox's time.

    Raises:
        OssRefusal: it may not.
    """
    encoded = fields.get("policy")
    if encoded is None:
        raise OssRefusal("AccessDenied", ec="0003-00000001")
    if "x-oss-signature-version" not in fields and {"ossaccesskeyid", "signature"} & fields.keys():
        raise OssRefusal("AccessDenied", "Signature versions before V4 are not allowed for this bucket.")
    _check_signature(fields, encoded, verifier, now)
    ends, conditions = _policy(encoded)
    if ends <= now:
        raise OssRefusal("AccessDenied", "Invalid according to Policy: Policy expired.")
    return _check_conditions(conditions, {**fields, "bucket": bucket})


def _check_signature(fields: Mapping[str, str], encoded: str, verifier: Verifier, now: datetime) -> None:
    missing = [name for name in (*SIGNED, "x-oss-signature") if name not in fields]
    if missing:
        raise OssRefusal("MissingArgument", facts={"ArgumentName": missing[0]})
    if fields["x-oss-signature-version"] != ALGORITHM:
        raise OssRefusal("InvalidArgument", "The x-oss-signature-version is invalid.")
    scope, date = scope_of(fields["x-oss-credential"]), fields["x-oss-date"]
    check_date(date, scope)
    key = verifier.key_of(scope, fields.get("x-oss-security-token"))
    right = hmac.new(signing_key(key, scope), encoded.encode(), hashlib.sha256).hexdigest()
    if not same(right, fields["x-oss-signature"]):
        raise mismatch(scope.key_id, fields["x-oss-signature"], encoded)
    made = moment_of(date)
    verifier.check_skew(made, now, late=False)
    week = made + timedelta(seconds=WEEK_SECONDS)
    if week <= now:
        raise expired(week, now)


def _policy(encoded: str) -> tuple[datetime, list[Any]]:
    try:
        stated = orjson.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise _bad("Invalid Policy: Invalid Simple-Json.", "0006-00000201") from None
    if not isinstance(stated, dict) or stated.keys() != {"expiration", "conditions"}:
        raise _bad("Invalid Policy: expiration and conditions are required, and nothing else.", "0006-00000209")
    conditions = stated["conditions"]
    if not isinstance(conditions, list) or not conditions:
        raise _bad("Invalid Policy: conditions must be a list that is not empty.", "0006-00000214")
    return _expiration(stated["expiration"]), conditions


def _expiration(text: object) -> datetime:
    for form in ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(str(text), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise _bad("Invalid Policy: Invalid expiration.", "0006-00000201")


def _check_conditions(conditions: list[Any], fields: Mapping[str, str]) -> SizeRange:
    size, stated = SizeRange(0, 5 * 1024**3), set()
    for condition in conditions:
        if isinstance(condition, list) and condition[:1] == ["content-length-range"]:
            size = _size(condition)
            continue
        for test, name, wanted in _parts(condition):
            stated.add(name)
            if not TESTS[test](fields.get(name, ""), wanted):
                raise _failed(condition)
    # What the signature was made with has to be repeated by the policy, or it could be told otherwise.
    required = {"bucket", *SIGNED} | ({"x-oss-security-token"} & fields.keys())
    for name in sorted(required - stated):
        raise _failed(["eq", f"${name}", fields.get(name, "")])
    return size


def _parts(condition: Any) -> list[tuple[str, str, Any]]:
    """A condition as tests of fields; `{"bucket": "b"}` is short for `eq`."""
    if isinstance(condition, dict):
        if not condition or not all(isinstance(value, str) for value in condition.values()):
            raise _bad("Invalid Policy: Invalid condition.", "0006-00000218")
        return [("eq", name.lower(), value) for name, value in condition.items()]
    if not isinstance(condition, list):
        raise _bad("Invalid Policy: a condition must be a map or a list.", "0006-00000222")
    if len(condition) != 3 or condition[0] not in TESTS or not isinstance(condition[1], str):
        raise _bad("Invalid Policy: Invalid condition.", "0006-00000218")
    test, name, wanted = condition
    kind = list if test in {"in", "not-in"} else str
    if not isinstance(wanted, kind) or not name.startswith("$"):
        raise _bad("Invalid Policy: Invalid condition.", "0006-00000218")
    return [(test, name[1:].lower(), wanted)]


def _size(condition: list[Any]) -> SizeRange:
    bounds = condition[1:]
    if len(bounds) != 2 or not all(type(bound) is int for bound in bounds) or not 0 <= bounds[0] <= bounds[1]:
        raise _bad("Invalid Policy: Invalid content-length-range.", "0006-00000218")
    return SizeRange(bounds[0], bounds[1])


def _bad(message: str, ec: str) -> OssRefusal:
    return OssRefusal("InvalidPolicyDocument", message, ec=ec)


def _failed(condition: object) -> OssRefusal:
    words = orjson.dumps(condition).decode()
    return OssRefusal(
        "AccessDenied", f"Invalid according to Policy: Policy Condition failed: {words}", ec="0006-00000227"
    )
