"""Result links as OSS makes them: signed, valid until a moment, answered in XML when they are not.

Reference: OSS signature V1 in a URL (`Expires`, `Signature`); DashScope links live 24 hours.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from xml.sax.saxutils import escape

from starlette.responses import Response

HOST = "dashscope-result-sandbox.oss-cn-beijing.aliyuncs.com"
"""What the XML calls the host; the real link's host has this form."""

Trouble = Literal["AccessDenied", "Expired", "SignatureDoesNotMatch", "NoSuchKey"]
TROUBLES: Mapping[Trouble, tuple[int, str, str]] = {
    "AccessDenied": (403, "AccessDenied", "You have no right to access this object because of bucket acl."),
    "Expired": (403, "AccessDenied", "Request has expired."),
    "SignatureDoesNotMatch": (
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    ),
    "NoSuchKey": (404, "NoSuchKey", "The specified key does not exist."),
}


def video_path(secret: str, task_id: str, expires: int) -> str:
    """Path and query of a task's link, relative to the mount; `expires` in seconds since 1970.

    The signature is Base64, so that it holds `+`, `/` and `=`: a client that re-quotes links breaks them here too.
    """
    return f"/videos/{task_id}.mp4?Expires={expires}&Signature={quote(_signature(secret, task_id, expires), safe='')}"


def trouble(secret: str, task_id: str, query: Mapping[str, str], now: datetime) -> Trouble | None:
    """What is wrong with a link's query at that moment; None when it may be served."""
    expires, signature = query.get("Expires", ""), query.get("Signature", "")
    if not expires or not signature:
        return "AccessDenied"
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        return "SignatureDoesNotMatch"
    if not hmac.compare_digest(_signature(secret, task_id, int(expires)).encode(), signature.encode()):
        return "SignatureDoesNotMatch"
    return "Expired" if int(expires) <= now.timestamp() else None


def xml_answer(what: Trouble, now: datetime) -> Response:
    """The body that OSS gives with a 403 or 404."""
    status, code, message = TROUBLES[what]
    number = uuid.uuid4().hex[:24].upper()
    server_time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n'
        f"  <Code>{code}</Code>\n  <Message>{escape(message)}</Message>\n"
        f"  <RequestId>{number}</RequestId>\n  <HostId>{HOST}</HostId>\n"
        f"  <ServerTime>{server_time}</ServerTime>\n</Error>\n"
    )
    return Response(body, status, media_type="application/xml", headers={"x-oss-request-id": number})


def _signature(secret: str, task_id: str, expires: int) -> str:
    text = f"GET\n\n\n{expires}\n/videos/{task_id}.mp4"
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
