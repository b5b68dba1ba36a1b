"""Calls to APIv3: signed, answered, verified. The main host is asked first, then the backup, if there is one."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from hutong.kernel.http.outbound import Answer, Outbound, OutboundFailed
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders.errors import ChannelUnavailable
from hutong.kit.clock import Clock, epoch_ms
from hutong.providers.wechat.pay.credentials import Credentials
from hutong.providers.wechat.pay.errors import CallRefused
from hutong.providers.wechat.pay.schemas import Malformed, object_of
from hutong.providers.wechat.pay.signatures import Unverified, Verifier, authorization

AGENT = "hutong"
MakesRequest = Callable[[str, str], tuple[Mapping[str, str], bytes | None]]
"""Headers and body for a method and a target, made anew for each try: every signature has its own nonce."""
_log = logger("providers.wechat.pay")


class Hosts:
    """Where a channel's vendor is: every call goes to the first that answers.

    All calls may be sent twice: orders and refunds bear numbers of ours, and the rest asks only.

    Args:
        vendor: name for metrics and the breakers, one a host.
        urls: without a slash at the end.
        timeout: seconds for one host.
    """

    def __init__(self, outbound: Outbound, vendor: str, urls: tuple[str, ...], timeout: float) -> None:
        self._outbound = outbound
        self._hosts = [(vendor if place == 0 else f"{vendor}-backup", url) for place, url in enumerate(urls)]
        self._timeout = timeout

    async def ask(self, call: str, method: str, target: str, request: MakesRequest, **options: Any) -> Answer:
        """The answer of the first host that gives one below 500; else the last one's.

        Raises:
            ChannelUnavailable: none answers.
        """
        answer: Answer | None = None
        trouble: OutboundFailed | None = None
        for vendor, url in self._hosts:
            headers, body = request(method, target)
            try:
                answer = await self._outbound.request(
                    vendor, call, method, url + target, headers=headers, body=body, timeout=self._timeout, **options
                )
            except OutboundFailed as error:
                trouble = error
                continue
            if answer.status < 500:
                return answer
        if answer is None:
            pause = trouble.retry_after if trouble is not None else None
            raise ChannelUnavailable(f"WeChat Pay does not answer: {trouble}", retry_after=pause or 5.0)
        return answer


class Request:
    """Makes a signed request of APIv3."""

    def __init__(self, own: Credentials, clock: Clock, content: Mapping[str, Any] | None) -> None:
        self._own = own
        self._clock = clock
        self._body = b"" if content is None else orjson.dumps(content)

    def __call__(self, method: str, target: str) -> tuple[dict[str, str], bytes | None]:
        seconds = epoch_ms(self._clock.now()) // 1000
        headers = {
            "Authorization": authorization(self._own, method, target, self._body, seconds),
            "Accept": "application/json",
            "User-Agent": AGENT,
            "Wechatpay-Serial": next(iter(self._own.platform)),
            **({"Content-Type": "application/json"} if self._body else {}),
        }
        return headers, self._body or None


class Wire:
    """One account's calls.

    Args:
        hosts: where.
        own: who we are.
        verifier: whom we believe.
        clock: for signatures.
    """

    def __init__(self, hosts: Hosts, own: Credentials, verifier: Verifier, clock: Clock) -> None:
        self._hosts = hosts
        self._own = own
        self._verifier = verifier
        self._clock = clock

    async def call(
        self, call: str, method: str, target: str, content: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """The body of a verified answer; empty when it has none.

        Raises:
            CallRefused: WeChat Pay said no.
            ChannelUnavailable: it does not answer, or what answers cannot be believed.
        """
        request = Request(self._own, self._clock, content)
        answer = await self._hosts.ask(call, method, target, request)
        done = answer.status in {200, 204}  # 202 says that the customer is at it
        if done or "wechatpay-signature" in answer.headers:
            self._verify(call, answer)
        try:
            found = object_of(answer.body) if answer.body else {}
        except Malformed:
            found = {}
            if done:
                raise ChannelUnavailable(f"WeChat Pay answered {answer.status} to {call} without JSON") from None
        if not done:
            raise CallRefused(call, answer.status, str(found.get("code") or ""))
        return found

    def _verify(self, call: str, answer: Answer) -> None:
        try:
            self._verifier.check(answer.headers, answer.body)
        except Unverified as doubt:
            if doubt.reason != "probe":
                _log.error("an answer of wechat pay cannot be verified", call=call, reason=doubt.reason)
            message = f"an answer of WeChat Pay cannot be verified ({doubt.reason})"
            raise ChannelUnavailable(message, retry_after=5.0) from doubt
