"""The words of Alipay's page and cashier, in English and Simplified Chinese."""

from collections.abc import Mapping

from hutong.providers.alipay.settings import SANDBOX_APP_ID, SANDBOX_SELLER_ID
from hutong.sandbox.pages import Lang

NUMBERS: Mapping[str, str] = {"app_id": SANDBOX_APP_ID, "seller_id": SANDBOX_SELLER_ID}

ENGLISH: Mapping[str, str] = {
    "title": "Alipay sandbox",
    "what": "gateway.do with real RSA2 signatures",
    "banner": "A local stand-in for Alipay: it speaks the vendor's wire format and checks every signature. No money moves.",
    "no_trades_hint": "Open the pay page of an order: as at Alipay, a page payment exists when the customer has opened it.",
    "stale_hint": "rightly signed, two days ago",
    "how_gateway": "Gateway",
    "how_app": "Application",
    "how_seller": "Merchant",
    "how_keys": "Keys of this data folder",
    "cashier": "Alipay cashier (sandbox)",
    "cashier_what": "A local stand-in: no money moves.",
    "to_pay": "To pay",
    "merchant": "Merchant",
    "order": "Order",
    "until": "Pay until",
    "pay_now": "Pay",
    "paid_now": "Paid",
    "closed_now": "Closed: this order can no longer be paid",
    "back": "Back to the merchant",
    "cashier_refused": "Alipay does not take this order",
    "all_orders": "All orders of the sandbox",
    "beijing": "Beijing time",
}

CHINESE: Mapping[str, str] = {
    "title": "支付宝沙箱",
    "what": "gateway.do，真实 RSA2 签名",
    "banner": "这是支付宝的本地替身：报文格式与官方一致，每个签名都会校验，没有真实资金流动。",
    "no_trades_hint": "请先打开订单的支付页：与支付宝一样，顾客打开页面之后交易才存在。",
    "stale_hint": "两天前的正确签名",
    "how_gateway": "网关",
    "how_app": "应用",
    "how_seller": "商户",
    "how_keys": "本数据目录的密钥",
    "cashier": "支付宝收银台（沙箱）",
    "cashier_what": "本地替身，没有真实资金流动。",
    "to_pay": "应付",
    "merchant": "商户",
    "order": "订单",
    "until": "支付截止",
    "pay_now": "支付",
    "paid_now": "已支付",
    "closed_now": "交易已关闭，无法再支付",
    "back": "返回商户",
    "cashier_refused": "支付宝没有受理这笔订单",
    "all_orders": "沙箱的全部订单",
    "beijing": "北京时间",
}

TEXTS: Mapping[Lang, Mapping[str, str]] = {"en": {**ENGLISH, **NUMBERS}, "zh": {**CHINESE, **NUMBERS}}
