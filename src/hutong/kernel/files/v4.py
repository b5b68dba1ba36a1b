"""Links and upload forms of a bucket: the V4 family of signatures, which OSS and S3 spell differently and compute alike.

A chain of HMAC-SHA256 over date, region and service makes the key of one day; it signs a canonical GET request for a
link, and a base64 policy for a form. Nothing here talks to anybody. Sources: Amazon "Signature Version 4", "POST
policy"; Aliyun OSS "V4 signature", "POST V4 signature".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import orjson

from hutong.kernel.files.errors import KeyInvalid
from hutong.kernel.files.keys import check_key
from hutong.kernel.files.links import MAX_URL, attachment, safe_filename
from hutong.kernel.files.ports import MAX_LINK_SECONDS, UploadForm

STAMP = "%Y%m%dT%H%M%SZ"
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SECONDS = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How one vendor spells V4.

    Args:
        algorithm: `OSS4-HMAC-SHA256`.
        secret_prefix: what stands in front of the secret in the first link of the chain.
        service, terminator: the ends of a credential's scope.
        query: what the parameters of a link begin with; forms use it in lower case.
        algorithm_name: the parameter that holds `algorithm`, without that beginning.
        signs_host: whether a link's signature covers its host.
        signs_bucket: whether the canonical path names the bucket where the URL names it in the host.
    """

    algorithm: str
    secret_prefix: str
    service: str
    terminator: str
    query: str
    algorithm_name: str
    signs_host: bool
    signs_bucket: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Whose signature it is; `token` comes with a temporary secret."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and how clients reach it: `root` is the URL in front of object names, with its slash at the end."""

    region: str
    bucket: str
    root: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class StatedLink:
    """What a link of ours states."""

    key: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FormRules:
    """What a form allows: fields that it must hold as they are, further conditions, and the file's size."""

    fields: Mapping[str, str]
    conditions: Sequence[Any]
    max_bytes: int


class BucketSigner:
    """Signs and recognises links, and signs forms, for one bucket."""

    def __init__(self, spelling: Spelling, account: Account, place: Place) -> None:
        self._spelling = spelling
        self._account = account
        self._place = place
        parts = urlsplit(place.root)
        self._host, self._base = parts.netloc, parts.path

    @property
    def root(self) -> str:
        """The URL in front of object names."""
        return self._place.root

    def link(self, key: str, now: datetime, seconds: int, filename: str | None = None) -> str:
        """A URL for one GET, from `now` for `seconds`; with a file name, the answer is a download of that name."""
        check_key(key)
        check_life(seconds)
        named = {} if filename is None else {"response-content-disposition": attachment(safe_filename(filename))}
        return self._signed(key, now.strftime(STAMP), str(seconds), named)

    def read(self, url: str) -> StatedLink | None:
        """What a URL that `link` made states; None for every other one, a changed one included."""
        path, _, query = url.partition("?")
        if len(url) > MAX_URL * 2 or not path.startswith(self.root + self._place.prefix):
            return None
        key = path.removeprefix(self.root + self._place.prefix)
        try:
            given = dict(parse_qsl(query, strict_parsing=True, max_num_fields=12))
            check_key(key)
        except (ValueError, KeyInvalid):
            return None
        date, seconds = given.get(self._name("Date"), ""), given.get(self._name("Expires"), "")
        if not _STAMP.fullmatch(date) or not _SECONDS.fullmatch(seconds):
            return None
        disposition = "response-content-disposition"
        named = {disposition: given[disposition]} if disposition in given else {}
        if not hmac.compare_digest(self._signed(key, date, seconds, named).encode(), url.encode(errors="replace")):
            return None
        return _stated(key, date, int(seconds))

    def form(self, key: str, now: datetime, seconds: int, rules: FormRules) -> UploadForm:
        """A form that stores exactly `key`, until `seconds` after `now`."""
        check_life(seconds)
        if rules.max_bytes < 1:
            raise ValueError("an upload form allows at least one byte")
        date, ends = now.strftime(STAMP), now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        given = {"key": self._place.prefix + check_key(key), **rules.fields, **self._form_fields(date)}
        policy = {
            "expiration": ends.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conditions": [
                {"bucket": self._place.bucket},
                ["content-length-range", 1, rules.max_bytes],
                *(["eq", f"${name.lower()}", value] for name, value in given.items()),
                *rules.conditions,
            ],
        }
        encoded = base64.b64encode(orjson.dumps(policy)).decode()
        signature = hmac.new(self._key(date[:8]), encoded.encode(), hashlib.sha256).hexdigest()
        fields = {**given, "policy": encoded, self._name("Signature").lower(): signature}
        return UploadForm(url=self.root, method="POST", fields=fields, file_field="file", expires_at=ends)

    def _name(self, word: str) -> str:
        return self._spelling.query + (word.lower() if self._spelling.query.islower() else word)

    def _scope(self, day: str) -> str:
        return f"{day}/{self._place.region}/{self._spelling.service}/{self._spelling.terminator}"

    def _key(self, day: str) -> bytes:
        key = (self._spelling.secret_prefix + self._account.secret).encode()
        for part in (day, self._place.region, self._spelling.service, self._spelling.terminator):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def _form_fields(self, date: str) -> dict[str, str]:
        fields = {
            self._name(self._spelling.algorithm_name).lower(): self._spelling.algorithm,
            self._name("Credential").lower(): f"{self._account.access_key_id}/{self._scope(date[:8])}",
            self._name("Date").lower(): date,
        }
        if self._account.token:
            fields[self._name("Security-Token").lower()] = self._account.token
        return fields

    def _signed(self, key: str, date: str, seconds: str, named: Mapping[str, str]) -> str:
        query = {
            self._name(self._spelling.algorithm_name): self._spelling.algorithm,
            self._name("Credential"): f"{self._account.access_key_id}/{self._scope(date[:8])}",
            self._name("Date"): date,
            self._name("Expires"): seconds,
            **named,
        }
        if self._spelling.signs_host:
            query[self._name("SignedHeaders")] = "host"
        if self._account.token:
            query[self._name("Security-Token")] = self._account.token
        encoded = "&".join(sorted(f"{name}={quote(value, safe='')}" for name, value in query.items()))
        signature = self._signature(self._canonical(key, encoded), date)
        return f"{self.root}{self._place.prefix}{key}?{encoded}&{self._name('Signature')}={signature}"

    def _canonical(self, key: str, query: str) -> str:
        base = f"/{self._place.bucket}/" if self._spelling.signs_bucket else self._base
        headers = f"host:{self._host}\n" if self._spelling.signs_host else ""
        signed = "host" if self._spelling.signs_host else ""
        return f"GET\n{base}{self._place.prefix}{key}\n{query}\n{headers}\n{signed}\nUNSIGNED-PAYLOAD"

    def _signature(self, canonical: str, date: str) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{self._spelling.algorithm}\n{date}\n{self._scope(date[:8])}\n{digest}"
        return hmac.new(self._key(date[:8]), text.encode(), hashlib.sha256).hexdigest()


def check_life(seconds: int) -> None:
    """That a link or a form lives as long as vendors allow.

    Raises:
        ValueError: it does not live a second to a week.
    """
    if not 1 <= seconds <= MAX_LINK_SECONDS:
        raise ValueError(f"links and forms live 1 to {MAX_LINK_SECONDS} seconds, not {seconds}")


def _stated(key: str, date: str, seconds: int) -> StatedLink | None:
    try:
        made = datetime.strptime(date, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return StatedLink(key, made + timedelta(seconds=seconds))
