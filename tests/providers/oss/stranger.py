"""Somebody else's V4 client, from the vendor's page, to be told to get things wrong."""

import base64
import hashlib
import hmac
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from support.buckets import OssBench
from support.http import Client

WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class Stranger:
    """A client with its own idea of key, region and time; `sent` replaces what was signed on its way."""

    bench: OssBench
    client: Client
    key_id: str
    secret: str
    region: str = "cn-beijing"
    behind: float = 0.0
    day: str = ""
    product: str = "oss"
    sent: Mapping[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> "Stranger":
        """The same client, with something wrong."""
        return replace(self, **changes)

    @property
    def stamp(self) -> str:
        return (datetime.now(UTC) - timedelta(seconds=self.behind)).strftime("%Y%m%dT%H%M%SZ")  # noqa: TID251 - not ours

    async def call(
        self, method: str, key: str = "", data: bytes = b"", headers: Mapping[str, str] | None = None, query: str = ""
    ) -> "Answer":
        """A call signed in its Authorization header; `sent` may hold method, key, query, headers, authorization."""
        stamp = self.stamp
        signed = {"x-oss-date": stamp, "x-oss-content-sha256": "UNSIGNED-PAYLOAD", **(headers or {})}
        additional = sorted(name for name in signed if not name.startswith(("x-oss-", "content-")))
        signature = self._signature(method, key, query, signed, additional, stamp)
        listed = f",AdditionalHeaders={';'.join(additional)}" if additional else ""
        credential = f"Credential={self.key_id}/{self._scope(stamp)}"
        authorization = f"OSS4-HMAC-SHA256 {credential}{listed},Signature={signature}"
        carried = {
            **signed,
            "Authorization": self.sent.get("authorization", authorization),
            **self.sent.get("headers", {}),
        }
        carried = {name: value for name, value in carried.items() if value is not None}
        url = self._url(self.sent.get("key", key), self.sent.get("query", query))
        return await self._send(self.sent.get("method", method), url, carried, self.sent.get("data", data))

    async def read(self, key: str, seconds: int = 60, method: str = "GET", **more: str) -> "Answer":
        """Follow a link of one's own."""
        return await self._send(self.sent.get("method", method), self.link(key, seconds, method, **more), {}, b"")

    def link(self, key: str, seconds: int = 60, method: str = "GET", **more: str) -> str:
        """A presigned URL; `sent["query"]` holds parameters to replace after signing, None to leave out."""
        stamp = self.stamp
        pairs = {
            "x-oss-signature-version": "OSS4-HMAC-SHA256",
            "x-oss-credential": f"{self.key_id}/{self._scope(stamp)}",
            "x-oss-date": stamp,
            "x-oss-expires": str(seconds),
            **more,
        }
        query = urlencode(pairs, quote_via=quote)
        signature = self._signature(method, key, query, {}, [], stamp)
        carried = {**pairs, "x-oss-signature": signature, **self.sent.get("query", {})}
        kept = {name: value for name, value in carried.items() if value is not None}
        return self._url(self.sent.get("key", key), urlencode(kept, quote_via=quote))

    async def post(
        self, key: str, data: bytes, policy: Mapping[str, Any] | None = None, file_type: str = "image/png"
    ) -> "Answer":
        """Send a form for `key`; `policy` replaces parts of a usual one, `sent["fields"]` fields after signing."""
        stamp = self.stamp
        fields = {
            "key": key,
            "x-oss-signature-version": "OSS4-HMAC-SHA256",
            "x-oss-credential": f"{self.key_id}/{self._scope(stamp)}",
            "x-oss-date": stamp,
        }
        usual = {
            "expiration": (datetime.now(UTC) + timedelta(seconds=60 - self.behind)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),  # noqa: TID251
            "conditions": [
                {"bucket": self.bench.settings.bucket},
                *({name: value} for name, value in fields.items() if name != "key"),
                ["content-length-range", 1, 1000],
                ["starts-with", "$key", "in/"],
                ["in", "$content-type", ["image/png", "image/jpeg"]],
            ],
        }
        fields["policy"] = base64.b64encode(json.dumps({**usual, **(policy or {})}).encode()).decode()
        fields["x-oss-signature"] = hmac.new(self._key(stamp), fields["policy"].encode(), hashlib.sha256).hexdigest()
        form = aiohttp.FormData()
        for name, value in {**fields, **self.sent.get("fields", {})}.items():
            if value is not None:
                form.add_field(name, value)
        form.add_field("file", io.BytesIO(data), filename="x.png", content_type=file_type)
        return await self._send("POST", self._url("", ""), {}, form)

    def _scope(self, stamp: str) -> str:
        return f"{self.day or stamp[:8]}/{self.region}/{self.product}/aliyun_v4_request"

    def _key(self, stamp: str) -> bytes:
        key = f"aliyun_v4{self.secret}".encode()
        for part in self._scope(stamp).split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def _signature(
        self, method: str, key: str, query: str, headers: Mapping[str, str], additional: Sequence[str], stamp: str
    ) -> str:
        path = quote(f"/{self.bench.settings.bucket}/{key}")
        names = "".join(f"{name.lower()}:{value.strip()}\n" for name, value in sorted(headers.items()))
        pairs = "&".join(sorted(part.removesuffix("=") for part in query.split("&") if part))
        text = "\n".join((method, path, pairs, names, ";".join(additional), "UNSIGNED-PAYLOAD"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        signed = f"OSS4-HMAC-SHA256\n{stamp}\n{self._scope(stamp)}\n{digest}"
        return hmac.new(self._key(stamp), signed.encode(), hashlib.sha256).hexdigest()

    def _url(self, key: str, query: str) -> str:
        return f"{self.bench.url}/{self.bench.settings.bucket}/{quote(key)}" + (f"?{query}" if query else "")

    async def _send(self, method: str, url: str, headers: Mapping[str, str], data: Any) -> "Answer":
        skipped = ["Content-Type"] if isinstance(data, bytes) else []
        target = URL(url, encoded=True)
        async with self.client.request(
            method, target, headers=headers, data=data or None, skip_auto_headers=skipped
        ) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.read())


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """OSS's error code; empty when all went well."""
        found = self.body.partition(b"<Code>")[2].partition(b"</Code>")[0]
        return found.decode()

    @property
    def told(self) -> tuple[int, str]:
        return self.status, self.code
