"""`PaymentChannel` over Alipay's OpenAPI. Source: alipay.trade.page.pay, wap.pay, precreate, query, close, refund,
fastpay.refund.query (reference/identity_orders.md §5.3).
"""

import re
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
from hutong.kit.clock import Clock
from hutong.kit.text import shorten
from hutong.providers.alipay import moments
from hutong.providers.alipay.account import Account
from hutong.providers.alipay.amounts import yuan_of
from hutong.providers.alipay.errors import Meaning
from hutong.providers.alipay.gateway import Gateway
from hutong.providers.alipay.notices import acknowledge, read_notice
from hutong.providers.alipay.schemas import CURRENCY, payment_found, refund_found
from hutong.providers.alipay.settings import AlipaySettings

NAME = "alipay"
QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"
REFUND, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
PRECREATE = "alipay.trade.precreate"
PAGES: Mapping[str, tuple[str, str]] = {
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
}
LARGEST_FEN = 100_000_000_00
LONGEST_SUBJECT, LONGEST_REASON = 128, 256
NOBODYS = "PING0000000000000000"
_ORDER_NO = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)
_FORBIDDEN = re.compile(r"[/=&\\\"<>\x00-\x1f\x7f]")


class AlipayChannel:
    """Alipay under one application: implements `PaymentChannel`.

    Args:
        settings: way of paying and limits.
        url: of the gateway or the sandbox.
        account: gives ids and keys; called once, when they are first needed.
        outbound: the kernel's client.
        clock: for the time in requests, and for the age of notices.
    """

    def __init__(
        self, settings: AlipaySettings, url: str, account: Callable[[], Account], outbound: Outbound, clock: Clock
    ) -> None:
        self._settings = settings
        self._url = url
        self._account = account
        self._outbound = outbound
        self._clock = clock

    @property
    def name(self) -> str:
        return NAME

    @property
    def currencies(self) -> frozenset[str]:
        return frozenset({CURRENCY})

    async def open(self, charge: Charge) -> PayParameters:
        """See `PaymentChannel.open`. A page is only signed here: Alipay hears of it when the customer opens it.

        Raises:
            ChannelRefused: Alipay could not take it: currency, amount, a hyphen in the order number, an end in the past.
        """
        content, notify_url = self._charged(charge), self._settings.notify_url or charge.notify_url
        if self._settings.way == "native":
            return await self._code(content, notify_url)
        method, product = PAGES[self._settings.way]
        more = {"notify_url": notify_url, "return_url": self._settings.return_url}
        return PayParameters(
            "page", {"pay_url": self._gateway.link(method, content | {"product_code": product}, **more)}
        )

    async def query(self, order_no: str) -> PaymentFound:
        """See `PaymentChannel.query`. A page that the customer has not opened yet is UNKNOWN."""
        reply = await self._gateway.call(QUERY, {"out_trade_no": order_no})
        if reply.meaning is Meaning.MISSING:
            return PaymentFound(PaymentState.UNKNOWN)
        if reply.meaning is not Meaning.DONE:
            raise reply.failure()
        return payment_found(reply, order_no)

    async def close(self, order_no: str) -> Closing:
        """See `PaymentChannel.close`.

        Alipay cannot close what the customer has not opened yet. Once the charge's end has passed it cannot be opened any
        more (`time_expire` is signed into the page), so CLOSED is then true for good. Closed before that end, the customer
        may still open the old page and pay: that is a late payment, which orders record and settle by their policy.
        """
        reply = await self._gateway.call(CLOSE, {"out_trade_no": order_no})
        if reply.meaning in {Meaning.DONE, Meaning.MISSING, Meaning.CLOSED}:
            return Closing.CLOSED
        if reply.meaning is Meaning.PAID:
            return Closing.PAID
        if reply.meaning is Meaning.OTHER_STATE:
            return await self._closed_already(order_no)
        raise reply.failure()

    async def refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.refund`. Only `fund_change` says that money moved; without it the refund is looked up.

        A refund has no `notify_url` of its own: Alipay reports it to the charge's.
        """
        reply = await self._gateway.call(
            REFUND,
            {
                "out_trade_no": refund.order_no,
                "trade_no": refund.transaction_id,
                "refund_amount": yuan_of(refund.money.amount),
                "refund_reason": shorten(_plain(refund.reason), LONGEST_REASON),
                "out_request_no": refund.refund_no,
            },
        )
        if reply.meaning in {Meaning.LOST, Meaning.PAID}:  # PAID: the time in which it could be given back is over
            return RefundFound(RefundState.FAILED, refund.refund_no, money=refund.money, reason=reply.text("sub_code"))
        if reply.meaning is not Meaning.DONE:
            raise reply.failure()
        if reply.text("fund_change") == "Y" and reply.text("out_trade_no") == refund.order_no:
            return RefundFound(RefundState.DONE, refund.refund_no, money=refund.money)
        found = await self.query_refund(refund)
        return found if found.state is RefundState.DONE else RefundFound(RefundState.PROCESSING, refund.refund_no)

    async def query_refund(self, refund: Refund) -> RefundFound:
        """See `PaymentChannel.query_refund`. Alipay has no words for a refund that failed: it is UNKNOWN, ask for it again."""
        asked = {
            "out_trade_no": refund.order_no,
            "trade_no": refund.transaction_id,
            "out_request_no": refund.refund_no,
        }
        reply = await self._gateway.call(REFUND_QUERY, asked)
        if reply.meaning is Meaning.MISSING:
            return RefundFound(RefundState.UNKNOWN, refund.refund_no)
        if reply.meaning is not Meaning.DONE:
            raise reply.failure()
        return refund_found(reply, refund.order_no, refund.refund_no)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """See `PaymentChannel.read_notice`."""
        return read_notice(NAME, body, self._own, self._clock.now())

    def acknowledge(self, refusal: str | None) -> Acknowledgement:
        """See `PaymentChannel.acknowledge`."""
        return acknowledge(refusal)

    async def ping(self) -> None:
        """Ask for an order of nobody's: the signed answer needs the application, both keys and the clock to be right.

        Raises:
            ChannelUnavailable, ChannelRefused.
        """
        await self.query(NOBODYS)

    @cached_property
    def _own(self) -> Account:
        return self._account()

    @cached_property
    def _gateway(self) -> Gateway:
        return Gateway(self._url, self._own, self._outbound, self._clock, self._settings.timeout)

    def _charged(self, charge: Charge) -> dict[str, str]:
        if charge.money.currency != CURRENCY or not 1 <= charge.money.amount <= LARGEST_FEN:
            raise ChannelRefused("Alipay takes CNY 0.01 to 100000000.00.")
        if _ORDER_NO.fullmatch(charge.order_no) is None:
            raise ChannelRefused("Alipay takes order numbers of letters, digits and underscores only.")
        if charge.expires_at <= self._clock.now():
            raise ChannelRefused("The time to pay is over.")
        return {
            "out_trade_no": charge.order_no,
            "total_amount": yuan_of(charge.money.amount),
            "subject": shorten(_plain(charge.description) or charge.order_no, LONGEST_SUBJECT),
            "time_expire": moments.written(charge.expires_at),
        }

    async def _code(self, content: dict[str, str], notify_url: str) -> PayParameters:
        reply = await self._gateway.call(PRECREATE, content, notify_url=notify_url)
        code = reply.text("qr_code")
        if reply.meaning is not Meaning.DONE:
            raise reply.failure()
        if not code:
            raise ChannelUnavailable("Alipay accepted the order without giving a code")
        return PayParameters("native", {"code_url": code})

    async def _closed_already(self, order_no: str) -> Closing:
        """The state forbids closing: it is paid or closed; in between (a payment under way) nothing can be said."""
        found = await self.query(order_no)
        states = {PaymentState.PAID: Closing.PAID, PaymentState.CLOSED: Closing.CLOSED}
        return states.get(found.state, Closing.LATER)


def _plain(text: str) -> str:
    """Text without the characters that Alipay refuses in a subject."""
    return " ".join(_FORBIDDEN.sub(" ", text).split())
