"""Verifying V4 signatures in the Authorization header and in the query, from the vendor's description alone.

The request is taken as it came over the wire: decoded, and spelled again in the one canonical way. Source: Aliyun OSS
"Include a V4 signature in the header", "… in a URL"; EC pages 0002-00000201 to 0002-00000228, 0002-00000504.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

from hutong.providers.oss.sandbox.answers import OssRefusal, instant
from hutong.providers.oss.sandbox.settings import Key, OssSandboxSettings

ALGORITHM = "OSS4-HMAC-SHA256"
TERMINATOR = "aliyun_v4_request"
UNSIGNED = "UNSIGNED-PAYLOAD"
WEEK_SECONDS = 7 * 24 * 3600
STAMP = "%Y%m%dT%H%M%SZ"
QUERY = "x-oss-signature-version", "x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"
OPTIONAL_QUERY = "x-oss-additional-headers", "x-oss-security-token"
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wire:
    """A request as it came: names of headers in lower case, the query as it was encoded."""

    method: str
    bucket: str
    key: str
    query: str
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for found, value in self.headers if found == name), None)

    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters, decoded, in their order."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


@dataclass(frozen=True, slots=True)
class Scope:
    """A credential, taken apart."""

    key_id: str
    day: str
    region: str

    @property
    def text(self) -> str:
        return f"{self.day}/{self.region}/oss/{TERMINATOR}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its own signature."""

    scope: Scope
    date: str
    additional: tuple[str, ...]
    signature: str
    token: str | None


class Verifier:
    """Knows the keys and the region of one bucket."""

    def __init__(self, settings: OssSandboxSettings) -> None:
        self._settings = settings
        self._keys = {key.id: key for key in settings.keys}

    def check(self, wire: Wire, now: datetime) -> None:
        """Let a request in.

        Raises:
            OssRefusal: it bears no signature, or not a right one, or not at this time.
        """
        given = wire.parameters()
        in_query = {name for name, _ in given}.intersection((*QUERY, *OPTIONAL_QUERY))
        authorization = wire.header("authorization")
        _refuse_v1(authorization, given)
        if authorization is not None and in_query - {"x-oss-security-token"}:
            raise OssRefusal("InvalidArgument", "Only one way of authentication is allowed.")
        if authorization is not None:
            self._check_header(wire, authorization, now)
        elif in_query:
            self._check_query(wire, given, now)
        else:
            raise OssRefusal("AccessDenied", ec="0003-00000001")

    def key_of(self, scope: Scope, token: str | None) -> Key:
        """The key of a credential, once region and token are right.

        Raises:
            OssRefusal: InvalidAccessKeyId, InvalidArgument, InvalidSecurityToken.
        """
        key = self._keys.get(scope.key_id)
        if key is None:
            facts = {"OSSAccessKeyId": scope.key_id}
            raise OssRefusal("InvalidAccessKeyId", ec="0002-00000902", facts=facts)
        if scope.region != self._settings.region:
            raise OssRefusal("InvalidArgument", "The signing region in credential is invalid.", ec="0002-00000228")
        expected = None if key.token is None else key.token.get_secret_value()
        if expected is None and token is not None:
            raise OssRefusal("InvalidSecurityToken")
        if expected is not None and not same(expected, token or ""):
            raise OssRefusal("InvalidSecurityToken")
        return key

    def check_skew(self, made: datetime, now: datetime, *, late: bool = True) -> None:
        """That a request was made around now; with `late` off, only that it was not made in the future.

        Raises:
            OssRefusal: RequestTimeTooSkewed.
        """
        ahead = (made - now).total_seconds()
        if ahead > self._settings.skew_seconds or (late and -ahead > self._settings.skew_seconds):
            facts = {
                "MaxAllowedSkewMilliseconds": str(int(self._settings.skew_seconds * 1000)),
                "RequestTime": instant(made),
                "ServerTime": instant(now),
            }
            raise OssRefusal("RequestTimeTooSkewed", ec="0002-00000504", facts=facts)

    def _check_header(self, wire: Wire, authorization: str, now: datetime) -> None:
        claim = _header_claim(wire, authorization)
        _check_payload(wire, required=True)
        key = self.key_of(claim.scope, claim.token)
        self.check_skew(moment_of(claim.date), now)
        self._compare(wire, claim, key, wire.parameters())

    def _check_query(self, wire: Wire, given: Sequence[tuple[str, str]], now: datetime) -> None:
        claim, seconds = _query_claim(given)
        _check_payload(wire, required=False)
        key = self.key_of(claim.scope, claim.token)
        made = moment_of(claim.date)
        self.check_skew(made, now, late=False)
        self._compare(wire, claim, key, [pair for pair in given if pair[0] != "x-oss-signature"])
        ends = made + timedelta(seconds=seconds)
        if ends <= now:
            raise expired(ends, now)

    def _compare(self, wire: Wire, claim: Claim, key: Key, query: Sequence[tuple[str, str]]) -> None:
        canonical = canonical_request(wire, query, claim.additional)
        text = string_to_sign(claim, canonical)
        right = hmac.new(signing_key(key, claim.scope), text.encode(), hashlib.sha256).hexdigest()
        if not same(right, claim.signature):
            raise mismatch(claim.scope.key_id, claim.signature, text, canonical)


def expired(ends: datetime, now: datetime) -> OssRefusal:
    """The refusal of a link whose time is over."""
    facts = {"Expires": instant(ends), "ServerTime": instant(now)}
    return OssRefusal("AccessDenied", "Request has expired.", facts=facts)


def mismatch(key_id: str, signature: str, text: str, canonical: str = "") -> OssRefusal:
    """The refusal of a wrong signature, with what would have had to be signed."""
    facts = {
        "OSSAccessKeyId": key_id,
        "SignatureProvided": signature,
        "StringToSign": text,
        "StringToSignBytes": text.encode().hex(" ").upper(),
        **({"CanonicalRequest": canonical} if canonical else {}),
    }
    return OssRefusal("SignatureDoesNotMatch", ec="0002-00000201", facts=facts)


def canonical_request(wire: Wire, query: Sequence[tuple[str, str]], additional: Sequence[str]) -> str:
    """The request in the one spelling that is signed."""
    path = "/" + (f"{wire.bucket}/" if wire.bucket else "") + wire.key
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query)
    named = "&".join(f"{name}={value}" if value else name for name, value in pairs)
    return "\n".join(
        (
            wire.method,
            quote(path, safe="/"),
            named,
            _canonical_headers(wire, additional),
            ";".join(additional),
            UNSIGNED,
        )
    )


def string_to_sign(claim: Claim, canonical: str) -> str:
    """What the signature is computed over."""
    return "\n".join((ALGORITHM, claim.date, claim.scope.text, hashlib.sha256(canonical.encode()).hexdigest()))


def signing_key(key: Key, scope: Scope) -> bytes:
    """The key of one day, region and product."""
    made = ("aliyun_v4" + key.secret.get_secret_value()).encode()
    for part in (scope.day, scope.region, "oss", TERMINATOR):
        made = hmac.new(made, part.encode(), hashlib.sha256).digest()
    return made


def scope_of(credential: str) -> Scope:
    """A credential `<id>/<day>/<region>/oss/aliyun_v4_request`, taken apart.

    Raises:
        OssRefusal: InvalidArgument.
    """
    parts = credential.split("/")
    if len(parts) != 5 or parts[3:] != ["oss", TERMINATOR] or not re.fullmatch(r"[0-9]{8}", parts[1]):
        raise OssRefusal("InvalidArgument", "The Credential parameter is invalid.", ec="0002-00000213")
    return Scope(parts[0], parts[1], parts[2])


def check_date(date: str, scope: Scope) -> None:
    """That a date has its form, and its day is the credential's.

    Raises:
        OssRefusal: InvalidArgument.
    """
    if not _STAMP.fullmatch(date):
        raise OssRefusal("InvalidArgument", "The x-oss-date is invalid.")
    moment_of(date)
    if date[:8] != scope.day:
        raise OssRefusal("InvalidArgument", "Invalid signing date in Authorization header.")


def moment_of(date: str) -> datetime:
    """The moment of an `x-oss-date`.

    Raises:
        OssRefusal: InvalidArgument.
    """
    try:
        return datetime.strptime(date, STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise OssRefusal("InvalidArgument", "The x-oss-date is invalid.") from None


def same(right: str, given: str) -> bool:
    """Compare without telling by the time it takes where they differ."""
    return hmac.compare_digest(right.encode(), given.encode(errors="replace"))


def _refuse_v1(authorization: str | None, given: Sequence[tuple[str, str]]) -> None:
    """V1 is closed to new accounts and buckets since 2025; the sandbox's bucket is a new one."""
    names = {name for name, _ in given}
    old_header = authorization is not None and authorization.lower().startswith(("oss ", "oss2 "))
    if old_header or {"OSSAccessKeyId", "Signature"} & names or "x-oss-access-key-id" in names:
        raise OssRefusal("AccessDenied", "Signature versions before V4 are not allowed for this bucket.")


def _check_payload(wire: Wire, *, required: bool) -> None:
    given = wire.header("x-oss-content-sha256")
    if given != UNSIGNED and (required or given is not None):
        raise OssRefusal("InvalidArgument", "The x-oss-content-sha256 header is invalid.", ec="0002-00000214")


def _header_claim(wire: Wire, authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    pairs = [part.strip().partition("=") for part in rest.split(",")]
    given = {name: value for name, _, value in pairs}
    wrong = len(given) != len(pairs) or not given.keys() <= {"Credential", "AdditionalHeaders", "Signature"}
    if algorithm != ALGORITHM or wrong or not {"Credential", "Signature"} <= given.keys():
        raise OssRefusal("InvalidArgument", "The Authorization header is invalid.", ec="0002-00000213")
    scope = scope_of(given["Credential"])
    date = _header_date(wire)
    check_date(date, scope)
    additional = _additional(given.get("AdditionalHeaders"))
    return Claim(scope, date, additional, _signature(given["Signature"]), wire.header("x-oss-security-token"))


def _header_date(wire: Wire) -> str:
    own = wire.header("x-oss-date")
    if own is not None:
        return own
    try:
        return parsedate_to_datetime(wire.header("date") or "").astimezone(UTC).strftime(STAMP)
    except ValueError:
        raise OssRefusal("AccessDenied", "OSS authentication requires a valid Date.") from None


def _query_claim(given: Sequence[tuple[str, str]]) -> tuple[Claim, int]:
    own = [pair for pair in given if pair[0] in (*QUERY, *OPTIONAL_QUERY)]
    stated: Mapping[str, str] = dict(own)
    missing = [name for name in QUERY if name not in stated]
    if missing or len(own) != len(stated):
        raise OssRefusal("InvalidArgument", f"Query-string authentication requires {', '.join(QUERY)}, each once.")
    if stated["x-oss-signature-version"] != ALGORITHM:
        raise OssRefusal("InvalidArgument", "The x-oss-signature-version is invalid.")
    scope = scope_of(stated["x-oss-credential"])
    check_date(stated["x-oss-date"], scope)
    seconds = stated["x-oss-expires"]
    if not re.fullmatch(r"[0-9]{1,9}", seconds) or not 1 <= int(seconds) <= WEEK_SECONDS:
        raise OssRefusal("InvalidArgument", "The x-oss-expires must be 1 to 604800 seconds.")
    additional = _additional(stated.get("x-oss-additional-headers"))
    token = stated.get("x-oss-security-token")
    return Claim(scope, stated["x-oss-date"], additional, _signature(stated["x-oss-signature"]), token), int(seconds)


def _additional(text: str | None) -> tuple[str, ...]:
    """Names of further signed headers: lower case, sorted, none twice, none that is signed anyway."""
    names = tuple(text.split(";")) if text else ()
    if list(names) != sorted({name.lower() for name in names}) or any(map(_signed_anyway, names)):
        raise OssRefusal("InvalidArgument", "The AdditionalHeaders are invalid.")
    return names


def _signature(text: str) -> str:
    return text if _HEX.fullmatch(text) else text[:200]


def _signed_anyway(name: str) -> bool:
    return name.startswith("x-oss-") or name in {"content-type", "content-md5"}


def _canonical_headers(wire: Wire, additional: Sequence[str]) -> str:
    found: dict[str, list[str]] = {}
    for name, value in wire.headers:
        if _signed_anyway(name) or name in additional:
            found.setdefault(name, []).append(value.strip())
    return "".join(f"{name}:{','.join(values)}\n" for name, values in sorted(found.items()))
