"""The vendor's own words of the page, in English and Simplified Chinese."""

from collections.abc import Mapping

from hutong.providers.wechat.pay import settings
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID
from hutong.sandbox.pages import Lang

ACCOUNT: Mapping[str, str] = {
    "account": f"{settings.SANDBOX_MCHID} {settings.SANDBOX_APPID}",
    "serial": settings.SANDBOX_SERIAL,
    "platform": PLATFORM_ID,
    "apiv3_key": settings.SANDBOX_APIV3_KEY,
    "v2_key": settings.SANDBOX_V2_KEY,
}
ENGLISH: Mapping[str, str] = {
    "title": "WeChat Pay sandbox",
    "what": "APIv3 and v2, every signature verified",
    "banner": "A local stand-in for WeChat Pay: the vendor's wire format with test keys of this data folder. No money moves, "
    "and nothing leaves this machine.",
    "how_base": "Base URL",
    "how_account": "Merchant and app",
    "how_serial": "Certificate serial",
    "how_keys": "Key pairs, in the data folder",
    "how_apiv3": "APIv3 key",
    "how_v2": "v2 key",
    "how_platform": "Platform key",
}
CHINESE: Mapping[str, str] = {
    "title": "微信支付沙箱",
    "what": "APIv3 与 v2，逐一校验签名",
    "banner": "这是微信支付的本地替身：报文格式与官方一致，使用本数据目录的测试密钥。不产生真实交易，数据不出本机。",
    "how_base": "请求地址",
    "how_account": "商户号与应用",
    "how_serial": "证书序列号",
    "how_keys": "密钥对（在数据目录中）",
    "how_apiv3": "APIv3 密钥",
    "how_v2": "v2 密钥",
    "how_platform": "平台公钥",
}
TEXTS: Mapping[Lang, Mapping[str, str]] = {"en": {**ACCOUNT, **ENGLISH}, "zh": {**ACCOUNT, **CHINESE}}
