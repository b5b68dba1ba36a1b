"""What OSS answers: refusals with their code, status and XML, and the headers of every answer.

Source: Aliyun OSS error pages (EC numbers) and API reference. Where the vendor documents no message, ours is plain.
"""

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from starlette.responses import Response

XML = "application/xml"
REFUSALS: Mapping[str, tuple[int, str]] = {
    "AccessDenied": (403, "You have no right to access this object because of bucket acl."),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size."),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size."),
    "FieldItemTooLong": (400, "The form field is too long."),
    "FileAlreadyExists": (409, "The object you specified already exists and can not be overwritten."),
    "IncorrectNumberOfFilesInPOSTRequest": (400, "POST requires exactly one file upload per request."),
    "InternalError": (500, "Please contact the server administrator, oss@service.aliyun.com."),
    "InvalidAccessKeyId": (403, "The OSS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": (400, "The argument is invalid."),
    "InvalidDigest": (400, "The Content-MD5 you specified is invalid."),
    "InvalidEncryptionAlgorithmError": (400, "The Encryption Algorithm you specified is not supported."),
    "InvalidObjectName": (400, "The specified object is not valid."),
    "InvalidPolicyDocument": (400, "The content of the form does not meet the conditions in the policy document."),
    "InvalidRange": (416, "The requested range cannot be satisfied."),
    "InvalidSecurityToken": (403, "The security token you provided is invalid."),
    "MalformedPOSTRequest": (400, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingArgument": (400, "Missing Some Required Arguments."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NotImplemented": (501, "A header or parameter you provided implies functionality that is not implemented."),
    "PreconditionFailed": (412, "At least one of the preconditions you specified did not hold."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "RequestTimeout": (400, "Your socket connection to the server was not read from or written to within time."),
    "ServiceBusy": (503, "Please reduce your request rate."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
}


class OssRefusal(Exception):
    """A call that is not carried out.

    Args:
        code: OSS's error code.
        message: another one than the code's usual.
        ec: number of OSS's page about this cause.
        facts: further elements of the XML.
    """

    def __init__(
        self, code: str, message: str | None = None, *, ec: str = "", facts: Mapping[str, str] | None = None
    ) -> None:
        self.code = code
        self.status, usual = REFUSALS[code]
        self.message = message or usual
        self.ec = ec
        self.facts = dict(facts or {})
        super().__init__(f"{code}: {self.message}")


def request_id() -> str:
    """24 digits, as OSS numbers its requests."""
    return secrets.token_hex(12).upper()


def instant(moment: datetime) -> str:
    """A moment as OSS's XML writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def elements(facts: Mapping[str, str | int]) -> str:
    """One element a fact, indented; characters that XML cannot hold are replaced."""
    return "".join(f"  <{name}>{_text(str(value))}</{name}>\n" for name, value in facts.items())


def refused(refusal: OssRefusal, host: str, number: str, *, head: bool) -> Response:
    """The answer to a call that is not carried out; a HEAD has no body, so its XML is in a header."""
    facts = {"Code": refusal.code, "Message": refusal.message, "RequestId": number, "HostId": host, **refusal.facts}
    if refusal.ec:
        facts |= {"EC": refusal.ec, "RecommendDoc": f"https://api.aliyun.com/troubleshoot?q={refusal.ec}"}
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{elements(facts)}</Error>\n'.encode()
    headers = {"x-oss-ec": refusal.ec} if refusal.ec else {}
    if head:
        return Response(status_code=refusal.status, headers={**headers, "x-oss-err": base64.b64encode(body).decode()})
    return Response(body, refusal.status, headers=headers, media_type=XML)


def document(root: str, inside: str) -> Response:
    """An XML answer."""
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{inside}</{root}>\n', media_type=XML)


def _text(value: str) -> str:
    return escape("".join(char if char >= " " or char in "\t\n\r" else "\ufffd" for char in value))
