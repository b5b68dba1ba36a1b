"""The gateway: requests that we sign, answers whose signature is verified. Source: Alipay OpenAPI, gateway.do.

An answer that is not signed by a pinned key says nothing, whatever it says: it is as if none had come.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from hutong.kernel.http.outbound import Answer, Outbound, OutboundFailed
from hutong.kernel.orders.errors import ChannelUnavailable
from hutong.kit.clock import Clock
from hutong.kit.text import is_clean
from hutong.providers.alipay import moments
from hutong.providers.alipay.account import Account
from hutong.providers.alipay.errors import PAUSES, Meaning, failure_of, meaning_of
from hutong.providers.alipay.signed_json import AnswerMalformed, members, object_of, text_of
from hutong.providers.alipay.signing import SIGN_TYPE, sign_parameters, verify

VENDOR = "alipay"
FORM = "application/x-www-form-urlencoded;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered to a call."""

    call: str
    content: Mapping[str, Any]

    @property
    def meaning(self) -> Meaning:
        """What it comes to."""
        return meaning_of(self.text("code"), self.text("sub_code"))

    def text(self, name: str) -> str:
        """A member's text; empty when there is none, or none that can be stored."""
        value = self.content.get(name)
        return value if isinstance(value, str) and is_clean(value) else ""

    def failure(self) -> Exception:
        """The port's error for an answer that is not what the caller hoped for."""
        return failure_of(self.call, self.text("code"), self.text("sub_code"))


class Gateway:
    """Alipay's one address, for one application.

    Args:
        url: of the gateway or the sandbox; it has no query.
        account: keys and ids.
        outbound: the kernel's client.
        clock: for the time in requests.
        timeout: seconds that one call may take.
    """

    def __init__(self, url: str, account: Account, outbound: Outbound, clock: Clock, timeout: float) -> None:
        self._url = url
        self._account = account
        self._outbound = outbound
        self._clock = clock
        self._timeout = timeout

    def link(self, method: str, content: Mapping[str, str], **more: str) -> str:
        """A signed request as an address for the customer's browser; Alipay hears nothing of it yet."""
        signed = self._signed(method, content, more)
        return f"{self._url}?{urlencode(signed, quote_via=quote)}"

    async def call(self, method: str, content: Mapping[str, str], **more: str) -> Reply:
        """One call.

        Raises:
            ChannelUnavailable: no answer came, or none that is Alipay's, or one by which nothing is known or done yet.
        """
        answer = await self._send(method, self._signed(method, content, more))
        reply = self._read(method, answer)
        if reply.meaning in PAUSES:
            raise reply.failure()
        return reply

    def _signed(self, method: str, content: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in content.items() if value}
        parameters = {
            "app_id": self._account.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": SIGN_TYPE,
            "timestamp": moments.written(self._clock.now()),
            "version": "1.0",
            "biz_content": json.dumps(kept, ensure_ascii=False, separators=(",", ":")),
            **more,
        }
        return sign_parameters(self._account.private_key, parameters)

    async def _send(self, method: str, signed: dict[str, str]) -> Answer:
        """Parameters go into the address, the content into the body, as the vendor's own clients send them."""
        body = urlencode({"biz_content": signed.pop("biz_content")}, quote_via=quote).encode()
        url = f"{self._url}?{urlencode(signed, quote_via=quote)}"
        try:
            answer = await self._outbound.request(
                VENDOR, method, "POST", url, headers={"Content-Type": FORM}, body=body, timeout=self._timeout
            )
        except OutboundFailed as error:
            raise _unavailable(f"Alipay did not answer: {error.message}", error.retry_after) from error
        if answer.status != 200:
            raise _unavailable(f"Alipay answered {answer.status}")
        return answer

    def _read(self, method: str, answer: Answer) -> Reply:
        """What a signed answer says.

        Raises:
            ChannelUnavailable: it is not signed by Alipay, or it answers another method.
        """
        try:
            parts = members(answer.body)
            written = parts.get(f"{method.replace('.', '_')}_response", b"")
            signature = text_of(parts.get("sign", b'""'))
            if not verify(self._account.alipay_keys, written, signature):
                raise _unavailable(f"Alipay's answer bears no signature of a pinned key{_hint(parts)}")
            return Reply(method, object_of(written))
        except AnswerMalformed as error:
            raise _unavailable(f"Alipay's answer is none: {error}") from error


def _hint(parts: Mapping[str, bytes]) -> str:
    """What an unsigned answer says of itself, for whoever reads the log; it is not believed.

    Alipay does not sign its refusal of a request whose application or signature it does not know.
    """
    for name, written in parts.items():
        if name.endswith("_response"):
            said = Reply(name, object_of(written))
            return f" (it claims {said.text('code')[:16]} {said.text('sub_code')[:64]})"
    return ""


def _unavailable(message: str, retry_after: float | None = None) -> ChannelUnavailable:
    return ChannelUnavailable(message, retry_after=retry_after or PAUSES[Meaning.AGAIN])
