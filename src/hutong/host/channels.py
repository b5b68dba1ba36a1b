"""The payment channels of this installation, by the name that stands in order rows and in the path of notices.

A vendor without a URL of its own is this installation's own sandbox; in production it is no channel at all.
"""

from collections.abc import Iterator, Mapping

from hutong.host.settings import Settings
from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.ports import PaymentChannel
from hutong.kit.clock import Clock
from hutong.providers.alipay.account import account_of
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.sandbox.keys import SandboxKeys as AlipaySandboxKeys
from hutong.providers.wechat.pay.client import WechatPay
from hutong.providers.wechat.pay.credentials import credentials_of, v2_credentials_of
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.v2 import WechatPayV2

WECHAT_PAY_PATH = "/sandbox/wechatpay"
ALIPAY_PATH = "/sandbox/alipay"


def open_channels(settings: Settings, outbound: Outbound, clock: Clock) -> Mapping[str, PaymentChannel]:
    """Every channel that the settings give.

    Raises:
        SettingsRefused: an account lacks something.
    """
    channels: list[PaymentChannel] = [
        *_wechat(settings, outbound, clock),
        *_wechat_v2(settings, outbound, clock),
        *_alipay(settings, outbound, clock),
    ]
    return {channel.name: channel for channel in channels}


def sandbox_url(settings: Settings, path: str) -> str:
    """Where a sandbox of this installation is called."""
    return f"{settings.public_url.rstrip('/')}{path}"


def _wechat(settings: Settings, outbound: Outbound, clock: Clock) -> Iterator[PaymentChannel]:
    chosen = settings.wechat_pay
    if chosen.base_url:
        own = credentials_of(chosen)
        yield WechatPay(chosen, chosen.base_url, lambda: own, outbound, clock)
    elif not settings.production:
        keys, url = SandboxKeys(settings.folder), sandbox_url(settings, WECHAT_PAY_PATH)
        yield WechatPay(chosen, url, keys.credentials, outbound, clock)


def _wechat_v2(settings: Settings, outbound: Outbound, clock: Clock) -> Iterator[PaymentChannel]:
    chosen = settings.wechat_pay_v2
    if chosen.base_url:
        own = v2_credentials_of(chosen)
        yield WechatPayV2(chosen, chosen.base_url, lambda: own, outbound, clock)
    elif not settings.production:
        keys, url = SandboxKeys(settings.folder), sandbox_url(settings, WECHAT_PAY_PATH)
        yield WechatPayV2(chosen, url, keys.v2_credentials, outbound, clock)


def _alipay(settings: Settings, outbound: Outbound, clock: Clock) -> Iterator[PaymentChannel]:
    chosen = settings.alipay
    if chosen.gateway_url:
        own = account_of(chosen)
        yield AlipayChannel(chosen, chosen.gateway_url, lambda: own, outbound, clock)
    elif not settings.production:
        keys, url = AlipaySandboxKeys(settings.folder), f"{sandbox_url(settings, ALIPAY_PATH)}/gateway.do"
        yield AlipayChannel(chosen, url, keys.account, outbound, clock)
