"""WeChat Pay, APIv3, as a `PaymentChannel`: native payment (a QR code), or JSAPI where the customer's openid is known.

Source: WeChat Pay APIv3, JSAPI and native payment, query, close, refunds; reference/album.md §3.2.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable
from hutong.kernel.orders.ports import (
    Acknowledgement,
    Charge,
    Closing,
    Notice,
    PaymentFound,
    PaymentState,
    PayParameters,
    Refund,
    RefundFound,
    RefundState,
)
from hutong.kit.clock import Clock, epoch_ms
from hutong.providers.wechat.pay.credentials import Credentials
from hutong.providers.wechat.pay.errors import CallRefused, Meaning, failure_of
from hutong.providers.wechat.pay.notices import acknowledge, read_notice
from hutong.providers.wechat.pay.schemas import CURRENCY, Malformed, expiry, payment_found, refund_found, text
from hutong.providers.wechat.pay.settings import WechatPaySettings
from hutong.providers.wechat.pay.signatures import Verifier, nonce, sign
from hutong.providers.wechat.pay.wire import Hosts, Wire

NAME = "wechat"
TRANSACTIONS = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
NOBODYS_ORDER = "PING00000000000000000000"
LONGEST_DESCRIPTION, LONGEST_REASON = 127, 80


class WechatPay:
    """Implements `PaymentChannel` over APIv3.

    Args:
        settings: of the account.
        base_url: of the vendor or the sandbox, without a slash at the end.
        credentials: gives the account's keys, asked once, at the first use.
        outbound: the kernel's client.
        clock: signs, and judges how fresh a message is.
    """

    name = NAME
    currencies = frozenset({CURRENCY})

    def __init__(
        self,
        settings: WechatPaySettings,
        base_url: str,
        credentials: Callable[[], Credentials],
        outbound: Outbound,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._base = base_url
        self._credentials = credentials
        self._outbound = outbound
        self._clock = clock

    async def open(self, charge: Charge) -> PayParameters:
        """See `PaymentChannel.open`."""
        if charge.money.currency != CURRENCY:
            raise ChannelRefused("WeChat Pay takes CNY only.")
        way = "native" if charge.payer is None else "jsapi"
        answer = await self._ask("open", "POST", f"{TRANSACTIONS}/{way}", self._order(charge))
        with well_formed("open"):
            if charge.payer is None:
                return PayParameters(way, {"code_url": text(answer, "code_url")})
            return PayParameters(way, self._page_call(text(answer, "prepay_id")))

    async def query(self, order_no: str) -> PaymentFound:
        """See `PaymentChannel.query`."""
        try:
            answer = await self._wire.call("query", "GET", self._order_path(order_no, f"?mchid={self._own.mchid}"))
        except CallRefused as refused:
            if refused.meaning is Meaning.MISSING:
                return PaymentFound(PaymentState.UNKNOWN)
            raise failure_of(refused) from refused
        named = tuple(answer.get(name) for name in ("out_trade_no", "mchid", "appid"))
        if named != (order_no, self._own.mchid, self._own.appid):
            raise ChannelUnavailable("WeChat Pay answered about another order than it was asked for.")
        with well_formed("query"):
            return payment_found(answer)

    async def close(self, order_no: str) -> Closing:
        """See `PaymentChannel.close`. An order that WeChat Pay does not know cannot be paid: nobody has its parameters."""
        try:
            await self._wire.call("close", "POST", self._order_path(order_no, "/close"), {"mchid": self._own.mchid})
        except CallRefused as refused:
            return closing_of(refused)
        return Closing.CLOSED

    async def refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.refund`."""
        content = {
            "transaction_id": refund.transaction_id,
            "out_refund_no": refund.refund_no,
            "reason": refund.reason[:LONGEST_REASON] or "refund",
            "notify_url": self._settings.notify_url or refund.notify_url,
            "amount": {"refund": refund.money.amount, "total": refund.paid.amount, "currency": refund.money.currency},
        }
        try:
            answer = await self._wire.call("refund", "POST", REFUNDS, content)
        except CallRefused as refused:
            if refused.meaning is Meaning.LOST:
                return RefundFound(RefundState.FAILED, refund.refund_no, money=refund.money, reason=refused.code)
            raise failure_of(refused) from refused
        return self._refund_found("refund", refund, answer)

    async def query_refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.query_refund`."""
        try:
            answer = await self._wire.call("query_refund", "GET", f"{REFUNDS}/{quote(refund.refund_no, safe='')}")
        except CallRefused as refused:
            if refused.meaning is Meaning.MISSING:
                return RefundFound(RefundState.UNKNOWN, refund.refund_no)
            raise failure_of(refused) from refused
        return self._refund_found("query_refund", refund, answer)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """See `PaymentChannel.read_notice`; `details["reason"]` of a refusal is one of `notices.REASONS`."""
        return read_notice(self.name, self._own, self._verifier, headers, body)

    def acknowledge(self, refusal: str | None) -> Acknowledgement:
        """See `PaymentChannel.acknowledge`."""
        return acknowledge(refusal)

    async def ping(self) -> None:
        """Ask for an order that nobody has: address, account, keys and both clocks must be right for the answer.

        Raises:
            ChannelUnavailable, ChannelRefused.
        """
        await self.query(NOBODYS_ORDER)

    @cached_property
    def _own(self) -> Credentials:
        return self._credentials()

    @cached_property
    def _verifier(self) -> Verifier:
        return Verifier(self._own.platform, self._clock)

    @cached_property
    def _wire(self) -> Wire:
        urls = tuple(url for url in (self._base, self._settings.backup_url) if url)
        hosts = Hosts(self._outbound, self.name, urls, self._settings.timeout)
        return Wire(hosts, self._own, self._verifier, self._clock)

    async def _ask(self, call: str, method: str, target: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return await self._wire.call(call, method, target, content)
        except CallRefused as refused:
            raise failure_of(refused) from refused

    def _order_path(self, order_no: str, rest: str) -> str:
        return f"{TRANSACTIONS}/out-trade-no/{quote(order_no, safe='')}{rest}"

    def _order(self, charge: Charge) -> Mapping[str, Any]:
        return {
            "appid": self._own.appid,
            "mchid": self._own.mchid,
            "description": charge.description[:LONGEST_DESCRIPTION],
            "out_trade_no": charge.order_no,
            "time_expire": expiry(charge.expires_at),
            "notify_url": self._settings.notify_url or charge.notify_url,
            "amount": {"total": charge.money.amount, "currency": charge.money.currency},
            "scene_info": {"payer_client_ip": charge.address},
            **({"payer": {"openid": charge.payer}} if charge.payer is not None else {}),
        }

    def _page_call(self, prepay_id: str) -> Mapping[str, str]:
        """What the page's call `getBrandWCPayRequest` takes."""
        seconds, once, package = str(epoch_ms(self._clock.now()) // 1000), nonce(), f"prepay_id={prepay_id}"
        return {
            "appId": self._own.appid,
            "timeStamp": seconds,
            "nonceStr": once,
            "package": package,
            "signType": "RSA",
            "paySign": sign(self._own.private_key, self._own.appid, seconds, once, package),
        }

    def _refund_found(self, call: str, refund: Refund, answer: Mapping[str, Any]) -> RefundFound:
        with well_formed(call):
            found = refund_found(answer, "status")
        if found.refund_no != refund.refund_no or answer.get("transaction_id") != refund.transaction_id:
            raise ChannelUnavailable("WeChat Pay answered about another refund than it was asked for.")
        return found


def closing_of(refused: CallRefused) -> Closing:
    """What a refusal to close comes to.

    Raises:
        ChannelUnavailable, ChannelRefused.
    """
    meaning = refused.meaning
    if meaning is Meaning.PAID:
        return Closing.PAID
    if meaning in {Meaning.CLOSED, Meaning.MISSING}:
        return Closing.CLOSED
    if meaning is Meaning.PAYING:
        return Closing.LATER
    raise failure_of(refused) from refused


@contextmanager
def well_formed(call: str) -> Iterator[None]:
    """A verified answer that nobody can read is as good as none."""
    try:
        yield
    except Malformed as error:
        raise ChannelUnavailable(f"WeChat Pay's answer to {call} cannot be read: {error}") from error
