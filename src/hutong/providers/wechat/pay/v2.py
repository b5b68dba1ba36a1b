"""WeChat Pay, v2 (XML), as a `PaymentChannel` of its own: for merchants that have no APIv3 key yet.

Source: WeChat Pay v2, unifiedorder, orderquery, closeorder, refund, refundquery; reference/album.md §3.1. The vendor advises
APIv3 for anything new.
"""

import ssl
from collections.abc import Callable, Mapping
from functools import cached_property

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
from hutong.providers.wechat.pay import v2_schemas, v2_xml
from hutong.providers.wechat.pay.client import closing_of, well_formed
from hutong.providers.wechat.pay.credentials import V2Credentials
from hutong.providers.wechat.pay.errors import CallRefused, Meaning, failure_of
from hutong.providers.wechat.pay.schemas import CURRENCY
from hutong.providers.wechat.pay.settings import WechatPayV2Settings
from hutong.providers.wechat.pay.signatures import nonce
from hutong.providers.wechat.pay.v2_notices import acknowledge, read_notice
from hutong.providers.wechat.pay.v2_signatures import is_signed, sign
from hutong.providers.wechat.pay.wire import AGENT, Hosts

NAME = "wechat_v2"
NOBODYS_ORDER = "PING00000000000000000000"
LONGEST_BODY, LONGEST_REASON = 127, 80


class WechatPayV2:
    """Implements `PaymentChannel` over the older API.

    Args:
        settings: of the account.
        base_url: of the vendor or the sandbox, without a slash at the end.
        credentials: gives the account's keys, asked once, at the first use.
        outbound: the kernel's client.
        clock: dates page calls.
    """

    name = NAME
    currencies = frozenset({CURRENCY})

    def __init__(
        self,
        settings: WechatPayV2Settings,
        base_url: str,
        credentials: Callable[[], V2Credentials],
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
        answer = await self._ask("open", "/pay/unifiedorder", self._order(charge))
        with well_formed("open"):
            if charge.payer is None:
                return PayParameters("native", {"code_url": v2_schemas.text(answer, "code_url")})
            return PayParameters("jsapi", self._page_call(v2_schemas.text(answer, "prepay_id")))

    async def query(self, order_no: str) -> PaymentFound:
        """See `PaymentChannel.query`."""
        try:
            answer = await self._call("query", "/pay/orderquery", {"out_trade_no": order_no})
        except CallRefused as refused:
            if refused.meaning is Meaning.MISSING:
                return PaymentFound(PaymentState.UNKNOWN)
            raise failure_of(refused) from refused
        if answer.get("out_trade_no") != order_no:
            raise ChannelUnavailable("WeChat Pay answered about another order than it was asked for.")
        with well_formed("query"):
            return v2_schemas.payment_found(answer)

    async def close(self, order_no: str) -> Closing:
        """See `PaymentChannel.close`. The vendor wants an order to be five minutes old; whoever closes earlier may try."""
        try:
            await self._call("close", "/pay/closeorder", {"out_trade_no": order_no})
        except CallRefused as refused:
            return closing_of(refused)
        return Closing.CLOSED

    async def refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.refund`; needs the merchant's certificate."""
        fields = {
            "transaction_id": refund.transaction_id,
            "out_refund_no": refund.refund_no,
            "total_fee": str(refund.paid.amount),
            "refund_fee": str(refund.money.amount),
            "refund_fee_type": refund.money.currency,
            "refund_desc": refund.reason[:LONGEST_REASON],
            "notify_url": self._settings.notify_url or refund.notify_url,
        }
        try:
            answer = await self._call("refund", "/secapi/pay/refund", fields, tls=self._tls)
        except CallRefused as refused:
            if refused.meaning is Meaning.LOST:
                return RefundFound(RefundState.FAILED, refund.refund_no, money=refund.money, reason=refused.code)
            raise failure_of(refused) from refused
        self._check_refund(refund, answer, "")
        with well_formed("refund"):
            number = v2_schemas.text(answer, "refund_id", 64)
            money = v2_schemas.money_of(answer, "refund_fee", "refund_fee_type")
        return RefundFound(RefundState.PROCESSING, refund.refund_no, number, money)

    async def query_refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.query_refund`."""
        try:
            answer = await self._call("query_refund", "/pay/refundquery", {"out_refund_no": refund.refund_no})
        except CallRefused as refused:
            if refused.meaning is Meaning.MISSING:
                return RefundFound(RefundState.UNKNOWN, refund.refund_no)
            raise failure_of(refused) from refused
        self._check_refund(refund, answer, "_0")
        with well_formed("query_refund"):
            return v2_schemas.refund_found(answer, "_0")

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """See `PaymentChannel.read_notice`; `details["reason"]` of a refusal is one of `notices.REASONS`."""
        return read_notice(self.name, self._own, self._settings.sign_type, body)

    def acknowledge(self, refusal: str | None) -> Acknowledgement:
        """See `PaymentChannel.acknowledge`."""
        return acknowledge(refusal)

    async def ping(self) -> None:
        """Ask for an order that nobody has.

        Raises:
            ChannelUnavailable, ChannelRefused.
        """
        await self.query(NOBODYS_ORDER)

    @cached_property
    def _own(self) -> V2Credentials:
        return self._credentials()

    @cached_property
    def _hosts(self) -> Hosts:
        urls = tuple(url for url in (self._base, self._settings.backup_url) if url)
        return Hosts(self._outbound, self.name, urls, self._settings.timeout)

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        """With the merchant's certificate; the sandbox asks for none."""
        if not self._own.certificate:
            return None
        context = ssl.create_default_context()
        context.load_cert_chain(self._own.certificate)
        return context

    def _order(self, charge: Charge) -> dict[str, str]:
        paying = {"product_id": charge.order_no} if charge.payer is None else {"openid": charge.payer}
        return {
            "body": charge.description[:LONGEST_BODY],
            "out_trade_no": charge.order_no,
            "fee_type": charge.money.currency,
            "total_fee": str(charge.money.amount),
            "spbill_create_ip": charge.address,
            "time_expire": v2_schemas.stamp(charge.expires_at),
            "notify_url": self._settings.notify_url or charge.notify_url,
            "trade_type": "NATIVE" if charge.payer is None else "JSAPI",
            **paying,
        }

    def _page_call(self, prepay_id: str) -> Mapping[str, str]:
        """What the page's call `getBrandWCPayRequest` takes, signed as the order is."""
        values = {
            "appId": self._own.appid,
            "timeStamp": str(epoch_ms(self._clock.now()) // 1000),
            "nonceStr": nonce(),
            "package": f"prepay_id={prepay_id}",
            "signType": self._settings.sign_type,
        }
        return {**values, "paySign": sign(values, self._own.key, self._settings.sign_type)}

    async def _ask(self, call: str, path: str, fields: Mapping[str, str]) -> Mapping[str, str]:
        try:
            return await self._call(call, path, fields)
        except CallRefused as refused:
            raise failure_of(refused) from refused

    async def _call(
        self, call: str, path: str, fields: Mapping[str, str], *, tls: ssl.SSLContext | None = None
    ) -> Mapping[str, str]:
        """The fields of a verified answer that says SUCCESS twice.

        Raises:
            CallRefused: WeChat Pay said no.
            ChannelUnavailable: it does not answer, or what answers cannot be believed.
        """
        answer = await self._hosts.ask(call, "POST", path, lambda *_: self._request(fields), tls=tls)
        if answer.status != 200:
            raise CallRefused(call, answer.status, "")
        with well_formed(call):
            found = v2_xml.parse(answer.body)
        if found.get("return_code") != "SUCCESS":  # refused at the door; such an answer bears no signature
            raise CallRefused(call, 401, found.get("return_msg", "")[:64])
        if not is_signed(found, self._own.key, self._settings.sign_type):
            raise ChannelUnavailable("an answer of WeChat Pay cannot be verified", retry_after=5.0)
        if found.get("result_code") != "SUCCESS":
            raise CallRefused(call, answer.status, found.get("err_code", ""))
        if (found.get("appid"), found.get("mch_id")) != (self._own.appid, self._own.mchid):
            raise ChannelUnavailable("WeChat Pay answered for another merchant.")
        return found

    def _request(self, fields: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        own = {"appid": self._own.appid, "mch_id": self._own.mchid, "nonce_str": nonce()}
        given = {
            name: value for name, value in {**own, "sign_type": self._settings.sign_type, **fields}.items() if value
        }
        signed = {**given, "sign": sign(given, self._own.key, self._settings.sign_type)}
        return {"Content-Type": "text/xml", "User-Agent": AGENT}, v2_xml.render(signed)

    def _check_refund(self, refund: Refund, answer: Mapping[str, str], end: str) -> None:
        if (answer.get(f"out_refund_no{end}"), answer.get("transaction_id")) != (
            refund.refund_no,
            refund.transaction_id,
        ):
            raise ChannelUnavailable("WeChat Pay answered about another refund than it was asked for.")
