"""The one outbound HTTP client: pool, timeouts, breaker, size caps, SSRF guard, metrics.

Source: DESIGN §2.10, §2.11 (aiohttp costs 19× less CPU than httpx); reference/reliability.md attack F6.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hutong.kernel.http.streamed import LARGEST_STREAM, Streamed
from hutong.kernel.observability import metrics
from hutong.kit.errors import UpstreamFailed

LARGEST_ANSWER = 8 * 1024 * 1024
CHUNK = 256 * 1024


class OutboundFailed(UpstreamFailed):
    """A vendor could not be asked. `sent` tells whether the request may have reached it."""

    code = "http.outbound_failed"

    def __init__(self, message: str, *, sent: bool, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.sent = sent


class CircuitOpen(OutboundFailed):
    """A vendor failed so often that it is left alone for a moment."""

    code = "http.circuit_open"


class AddressRefused(OutboundFailed):
    """This address may not be fetched."""

    code = "http.address_refused"


class AnswerTooLarge(OutboundFailed):
    """The vendor's answer is larger than allowed."""

    code = "http.answer_too_large"


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            OutboundFailed: it is none.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise OutboundFailed(f"the answer (status {self.status}) is no JSON", sent=True) from error


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row and lets one call try again after `seconds`."""

    threshold: int = 8
    seconds: float = 5.0
    failures: int = 0
    opened_at: float = field(default=0.0)

    def check(self, vendor: str) -> None:
        """Raise `CircuitOpen` while the vendor is being left alone."""
        if self.failures < self.threshold:
            return
        waited = time.monotonic() - self.opened_at
        if waited < self.seconds:
            raise CircuitOpen(f"{vendor} keeps failing", sent=False, retry_after=self.seconds - waited)
        self.opened_at = time.monotonic()

    def record(self, *, ok: bool) -> None:
        """Count the outcome of one call."""
        self.failures = 0 if ok else self.failures + 1
        if self.failures == self.threshold:
            self.opened_at = time.monotonic()


class Outbound:
    """Calls vendors. One per process; `close` it.

    Args:
        allow_private: whether addresses of this machine and of private networks may be called (the sandboxes live there;
            never in production).
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None  # noqa: TID251 - the one place
        self._breakers: dict[str, Breaker] = {}

    async def request(
        self,
        vendor: str,
        call: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - a limit on one call, given to the library
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """One call, its answer read whole (at most 8 MiB). Any HTTP status is an answer; redirects are not followed.

        Args:
            vendor: name for metrics and the breaker.
            call: name of the operation, for metrics.
            method: GET, POST, …
            url: absolute, http or https.
            headers: request headers.
            json: body, sent as JSON.
            body: body, sent as it is (name its type in `headers`).
            timeout: seconds for the whole call.
            tls: with a certificate of ours, where a vendor wants to see one.

        Raises:
            OutboundFailed: no answer came; `sent` tells whether the vendor may have seen the request.
        """
        typed = {"Content-Type": "application/json"} if json is not None else {}
        typed["Accept-Encoding"] = "identity"  # a compressed answer would have no honest size
        data = orjson.dumps(json) if json is not None else body
        sent = {**typed, **(headers or {})}
        options: dict[str, Any] = {"headers": sent, "data": data, **({"ssl": tls} if tls is not None else {})}
        async with self._call(vendor, call, method, url, timeout=timeout, **options) as response:
            content = await _read(response, LARGEST_ANSWER)
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lowered, content)

    async def download(self, vendor: str, url: str, *, largest: int, timeout: float = 120.0) -> Answer:  # noqa: ASYNC109
        """Fetch a file of at most `largest` bytes.

        Raises:
            AnswerTooLarge, OutboundFailed.
        """
        plain = {"Accept-Encoding": "identity"}
        async with self._call(vendor, "download", "GET", url, headers=plain, timeout=timeout) as response:
            if (response.content_length or 0) > largest:
                raise AnswerTooLarge(f"{response.content_length} bytes are more than {largest}", sent=True)
            return Answer(response.status, {}, await _read(response, largest))

    async def stream(
        self,
        vendor: str,
        call: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        first: float,
        timeout: float,  # noqa: ASYNC109 - a limit on the whole, given to the library
        largest: int = LARGEST_STREAM,
    ) -> Streamed:
        """One call whose answer is read as it comes. Guard, breaker and metrics as for `request`.

        Args:
            vendor, call, method, url, headers, body: as for `request`.
            first: seconds until the status must be there.
            timeout: seconds for the whole.
            largest: bytes of the answer.

        Raises:
            OutboundFailed: no answer came. A cut later is raised by the reading.
        """
        sent = {"Accept-Encoding": "identity", **headers}
        running = self._call(vendor, call, method, url, timeout=timeout, first=first, headers=sent, data=body)
        return Streamed(running, await running.__aenter__(), largest)

    @asynccontextmanager
    async def _call(
        self,
        vendor: str,
        call: str,
        method: str,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - given to the library
        first: float | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        breaker = self._breakers.setdefault(vendor, Breaker())
        breaker.check(vendor)
        self._check_url(url)
        start, outcome = time.perf_counter(), "lost"
        limits = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5.0), sock_read=first)
        try:
            async with self._open().request(method, url, timeout=limits, allow_redirects=False, **options) as response:
                outcome = f"{response.status // 100}xx"
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            refused = isinstance(error.__cause__, _PrivateAddress) or isinstance(error, aiohttp.InvalidURL)
            kind = AddressRefused if refused else OutboundFailed
            raise kind(f"{vendor} cannot be reached: {error}", sent=False) from error
        except asyncio.CancelledError:
            outcome = "given up"
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            outcome = "lost"  # also when it broke off after its headers
            raise OutboundFailed(f"{vendor} gave no answer: {error!r}", sent=True) from error
        finally:
            if outcome != "given up":  # that says nothing about the vendor
                breaker.record(ok=outcome not in {"lost", "5xx"})
            metrics.outbound_seconds.labels(vendor, call, outcome).observe(time.perf_counter() - start)

    def _open(self) -> aiohttp.ClientSession:  # noqa: TID251 - the one place
        if self._session is None:
            resolver = None if self._allow_private else PublicResolver()
            connector = aiohttp.TCPConnector(limit=512, limit_per_host=256, resolver=resolver)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)  # noqa: TID251 - the one place
        return self._session

    def _check_url(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise AddressRefused("only plain http and https addresses are fetched", sent=False)
        if not self._allow_private and _is_literal(parts.hostname) and not is_public(parts.hostname):
            raise AddressRefused(f"{parts.hostname} is not a public address", sent=False)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _PrivateAddress(OSError):
    """A name resolved to an address that is not public."""


class PublicResolver(AbstractResolver):
    """Resolves names and refuses answers that point inside: checked on the very address that is connected to."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise _PrivateAddress(f"{host} does not resolve to a public address")
        return public

    async def close(self) -> None:
        await self._inner.close()


def _is_literal(host: str) -> bool:
    """Whether `host` is an address already, in any spelling that a resolver would take without asking DNS."""
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except OSError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet (and not to a cloud's metadata service)."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast and str(ip) != "100.100.100.200"


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > largest:
            raise AnswerTooLarge(f"the answer is longer than {largest} bytes", sent=True)
        parts.append(chunk)
    await asyncio.sleep(0)
    return b"".join(parts)
