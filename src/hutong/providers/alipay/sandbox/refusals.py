"""What Alipay answers to a call that it does not carry out. Source: Alipay OpenAPI, common codes and those of each method."""

from collections.abc import Mapping

MESSAGES: Mapping[str, str] = {
    "10000": "Success",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40005": "Call Limited",
}
SUB_MESSAGES: Mapping[str, str] = {
    "isp.unknow-error": "系统繁忙",
    "isv.app-call-limited": "应用调用次数超限，包含调用频率超限",
    "isv.invalid-app-id": "无效的AppID参数",
    "isv.invalid-charset": "字符集错误",
    "isv.invalid-format": "无效的数据格式",
    "isv.invalid-method": "不存在的方法名",
    "isv.invalid-parameter": "参数无效",
    "isv.invalid-signature": "验签出错",
    "isv.invalid-signature-type": "无效的签名类型",
    "isv.invalid-timestamp": "非法的时间戳参数",
    "isv.missing-app-id": "缺少appId参数",
    "isv.missing-method": "缺少方法名参数",
    "isv.missing-signature": "缺少签名参数",
    "isv.missing-signature-type": "缺少签名类型参数",
    "isv.missing-timestamp": "缺少时间戳参数",
    "isv.missing-version": "缺少版本参数",
    "ACQ.CONTEXT_INCONSISTENT": "交易信息被篡改",
    "ACQ.DISCORDANT_REPEAT_REQUEST": "请求信息不一致",
    "ACQ.INVALID_PARAMETER": "参数无效",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": "退款金额无效",
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "卖家余额不足",
    "ACQ.SYSTEM_ERROR": "系统错误",
    "ACQ.TRADE_HAS_CLOSE": "交易已经关闭",
    "ACQ.TRADE_HAS_FINISHED": "交易已经完结",
    "ACQ.TRADE_HAS_SUCCESS": "交易已被支付",
    "ACQ.TRADE_NOT_EXIST": "交易不存在",
    "ACQ.TRADE_STATUS_ERROR": "交易状态不合法",
}
UNSIGNED = frozenset({"isv.invalid-app-id", "isv.missing-app-id"})
"""Alipay signs no answer to an application that it does not know."""


class AlipayRefusal(Exception):
    """A call that is not carried out; `sub_code` is one of `SUB_MESSAGES`."""

    def __init__(self, sub_code: str) -> None:
        super().__init__(sub_code)
        self.sub_code = sub_code
        self.content = {
            "code": code_of(sub_code),
            "msg": MESSAGES[code_of(sub_code)],
            "sub_code": sub_code,
            "sub_msg": SUB_MESSAGES[sub_code],
        }


def code_of(sub_code: str) -> str:
    """The gateway's code above a code of the method's."""
    if sub_code.startswith("isp."):
        return "20000"
    if sub_code.endswith("call-limited"):
        return "40005"
    if sub_code.startswith("isv."):
        return "40001" if sub_code.startswith("isv.missing") else "40002"
    return "40004"
