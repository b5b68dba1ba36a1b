"""Signed links and upload policies of the disk storage: HMAC-SHA256 over every fact that they state.

A link is `{public_url}/files/<key>?e=<unix seconds>[&n=<file name>]&s=<hex>`; a policy is base64 JSON beside its hex
signature. The two have different prefixes in front of what is signed, so that one never passes for the other.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

import orjson

from hutong.kernel.files.errors import KeyInvalid, UploadExpired, UploadMalformed, UploadRefused
from hutong.kernel.files.keys import check_key

MIN_SECRET = 32
MAX_URL = 2048
MAX_FILENAME = 100
_SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class SignedLink:
    """What a link of ours states: key, end (unix seconds) and the name to download it under, if any."""

    key: str
    expires: int
    filename: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What an upload form allows: one key, these types, 1 to `max_bytes`, until `expires` (unix seconds)."""

    key: str
    content_types: tuple[str, ...]
    max_bytes: int
    expires: int


def safe_filename(name: str) -> str:
    """`name` without paths, control and direction characters, at most 100 long, never empty."""
    kept = "".join(char if char not in '/\\:"' else "_" for char in name if char.isprintable())
    return kept[:MAX_FILENAME].strip(". ") or "download"


def attachment(filename: str) -> str:
    """The Content-Disposition that makes an answer a download of that name (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


class Signer:
    """Signs and verifies.

    Args:
        secret: at least 32 random bytes; another secret ends all links and forms.
        public_url: where clients reach this host, without a path or with the one that it is mounted under.
    """

    def __init__(self, secret: bytes, public_url: str) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the secret of the file links needs at least {MIN_SECRET} bytes")
        self._secret = secret
        self.root = public_url.rstrip("/") + "/files/"

    def link(self, link: SignedLink) -> str:
        """The URL that states `link`."""
        name = {} if link.filename is None else {"n": link.filename}
        query = {"e": str(link.expires), **name, "s": self._link_mac(link)}
        return f"{self.root}{link.key}?{urlencode(query)}"

    def read(self, url: str) -> SignedLink | None:
        """What a URL of ours states; None if it is not ours or was changed."""
        path, _, query = url.partition("?")
        if len(url) > MAX_URL or not path.startswith(self.root):
            return None
        return self.verify(path.removeprefix(self.root), query)

    def verify(self, key: str, query: str) -> SignedLink | None:
        """What the key and query of a request state; None if the signature does not bear it."""
        try:
            pairs = parse_qsl(query, strict_parsing=True, max_num_fields=3)
            given = dict(pairs)
            check_key(key)
        except (ValueError, KeyInvalid):
            return None
        if len(pairs) != len(given) or not {"e", "s"} <= given.keys() <= {"e", "s", "n"}:
            return None
        if not _SECONDS.fullmatch(given["e"]):
            return None
        link = SignedLink(key, int(given["e"]), given.get("n"))
        return link if _same(self._link_mac(link), given["s"]) else None

    def fields(self, policy: Policy) -> dict[str, str]:
        """The form fields that prove `policy`."""
        stated = {
            "key": policy.key,
            "types": policy.content_types,
            "max_bytes": policy.max_bytes,
            "expires": policy.expires,
        }
        encoded = base64.b64encode(orjson.dumps(stated)).decode()
        declared = {"Content-Type": policy.content_types[0]} if len(policy.content_types) == 1 else {}
        return {
            "key": policy.key,
            **declared,
            "expires": str(policy.expires),
            "policy": encoded,
            "signature": self._mac("upload", encoded),
        }

    def check_fields(self, fields: Mapping[str, str], now: float) -> Policy:
        """The policy that a client's fields prove.

        Raises:
            UploadMalformed: a field is missing.
            UploadRefused: the signature is wrong, or a field says something else than the policy.
            UploadExpired: the policy's time is over.
        """
        missing = {"key", "Content-Type", "expires", "policy", "signature"} - fields.keys()
        if missing:
            raise UploadMalformed(details={"missing": sorted(missing)})
        if not _same(self._mac("upload", fields["policy"]), fields["signature"]):
            raise UploadRefused(details={"reason": "signature"})
        policy = _decoded(fields["policy"])
        for name, right in (
            ("key", fields["key"] == policy.key),
            ("expires", fields["expires"] == str(policy.expires)),
            ("Content-Type", fields["Content-Type"] in policy.content_types),
        ):
            if not right:
                raise UploadRefused(details={"reason": name})
        if policy.expires <= now:
            raise UploadExpired
        return policy

    def _link_mac(self, link: SignedLink) -> str:
        return self._mac("link", "GET", link.key, str(link.expires), link.filename or "")

    def _mac(self, purpose: str, *parts: str) -> str:
        # Joined by a character that only the last part could hold, so no two statements sign alike.
        message = "\n".join((f"hutong.files.{purpose}.v1", *parts))
        return hmac.new(self._secret, message.encode(errors="replace"), hashlib.sha256).hexdigest()


def _same(right: str, given: str) -> bool:
    return hmac.compare_digest(right.encode(), given.encode(errors="replace"))


def _decoded(encoded: str) -> Policy:
    try:
        stated = orjson.loads(base64.b64decode(encoded, validate=True))
        return Policy(stated["key"], tuple(stated["types"]), stated["max_bytes"], stated["expires"])
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UploadRefused(details={"reason": "policy"}) from error
