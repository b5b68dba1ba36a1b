"""DashScope's error codes, by what to do about them. Source: vendor's error-code pages (reference/emoji.md §2.5).

Messages have typos and change; only codes are matched.
"""

from hutong.kernel.gateway import (
    ProviderBlocked,
    ProviderDown,
    ProviderRejected,
    ProviderThrottled,
    Refusal,
    SourceUnreachable,
)
from hutong.kernel.gateway.errors import ProviderFailed

NO_FACE = frozenset({"InvalidFile.NoHuman", "InvalidImage.NoHumanFace", "InvalidPerson"})
SEVERAL_FACES = frozenset({"InvalidFile.MultiHuman"})
FACE = frozenset({f"InvalidFile.{part}" for part in ("FacePose", "FullFace", "FrontBody", "BodyProportion")})
CONTENT = frozenset({"DataInspectionFailed", "IPInfringementSuspect", "CustomRoleBlocked"})
PICTURE_PREFIXES = ("InvalidFile.", "InvalidImage")
SOURCE_PREFIXES = ("InvalidURL", "BadRequest.InputDownloadFailed", "InvalidParameter.DataInspection")
ACCOUNT_PREFIXES = (
    "InvalidApiKey",
    "Arrearage",
    "AccessDenied",
    "Model.AccessDenied",
    "Workspace.AccessDenied",
    "AllocationQuota.FreeTierOnly",
    "CommodityNotPurchased",
    "PrepaidBillOverdue",
    "PostpaidBillOverdue",
)
THROTTLE_PREFIXES = ("Throttling", "LimitRequests")
REQUEST_PREFIXES = ("InvalidParameter", "BadRequest.", "ModelNotFound", "UnsupportedOperation")


def refusal_of(code: str) -> Refusal | None:
    """Why the vendor does not like the picture, or None if the code is about something else."""
    if code in NO_FACE:
        return Refusal.NO_FACE
    if code in SEVERAL_FACES:
        return Refusal.SEVERAL_FACES
    if code in CONTENT:
        return Refusal.VIOLATION
    if code in FACE:
        return Refusal.FACE_UNSUITABLE
    return Refusal.PICTURE_UNSUITABLE if code.startswith(PICTURE_PREFIXES) else None


def failure_of(status: int, code: str, retry_after: float | None = None) -> ProviderFailed:
    """The gateway error for a failed call. Account codes come first: some arrive with status 429."""
    kind: type[ProviderFailed]
    if code.startswith(ACCOUNT_PREFIXES) or status == 401:
        kind = ProviderBlocked
    elif code.startswith(THROTTLE_PREFIXES) or status == 429:
        kind = ProviderThrottled
    elif code.startswith(SOURCE_PREFIXES):
        kind = SourceUnreachable
    elif code.startswith(REQUEST_PREFIXES) or 400 <= status < 500:
        kind = ProviderRejected
    else:
        kind = ProviderDown
    return kind(f"DashScope answered {status} {code or 'without a code'}", vendor_code=code, retry_after=retry_after)
