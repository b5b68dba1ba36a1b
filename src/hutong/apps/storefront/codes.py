"""The contract's codes: number, name, HTTP status, the errors that become it, and its text in every language.

The numbers 10000, 10001, 10006, 10104 and 20001 are the seed's. Source: contracts/storefront.md "Conventions"; the families
are 100xx for what is common and for sign-in, 101xx for users and mail codes, 200xx for orders, 210xx for payments.
See docs/decisions/0024-storefront-bodies-and-settings.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hutong.kernel.http.languages import Language


@dataclass(frozen=True, slots=True)
class Text:
    """What a code says in one language.

    Args:
        title: the same each time.
        detail: what is said instead where the occurrence is known better, with places as in `{seconds}`.
    """

    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table.

    Args:
        number: stands in bodies.
        name: for people and for generated clients.
        status: of HTTP.
        errors: dotted codes of the errors that become it, and their subclasses without a row of their own.
        texts: by language.
    """

    number: int
    name: str
    status: int
    errors: tuple[str, ...]
    texts: Mapping[Language, Text]


def _code(number: int, name: str, status: int, errors: tuple[str, ...], en: str | Text, zh: str | Text) -> Code:
    texts: dict[Language, Text] = {"en": _text(en), "zh-CN": _text(zh)}
    return Code(number, name, status, errors, texts)


def _text(text: str | Text) -> Text:
    return Text(text) if isinstance(text, str) else text


SUCCESS: Final = 10000
"""Its `msg` is a word of the contract, the same in every language."""

COMMON = (
    _code(
        10001,
        "VALIDATION_ERROR",
        422,
        (
            *("http.fields_invalid", "orders.quantity_refused", "identity.device_id_invalid", "identity.email_invalid"),
            *("identity.nickname_invalid", "identity.password_too_short", "identity.password_invalid"),
            "identity.password_too_long",
        ),
        Text("A field of the request is not valid.", "{field}: {problem}"),
        Text("请求参数有误", "{field}：{problem}"),
    ),
    _code(10020, "INVALID_REQUEST", 400, ("input.invalid",), "The request cannot be read.", "请求无法解析"),
    _code(10021, "PERMISSION_DENIED", 403, ("auth.forbidden",), "You may not do this.", "无权进行此操作"),
    _code(
        10022, "NOT_FOUND", 404, ("resource.not_found", "gateway.model_unknown"), "There is nothing here.", "没有找到"
    ),
    _code(
        10023,
        "METHOD_NOT_ALLOWED",
        405,
        ("http.method_unknown",),
        "This path does not take that method.",
        "此地址不支持该请求方法",
    ),
    _code(
        10024, "CONFLICT", 409, ("resource.conflict",), "The present state does not allow this.", "当前状态不允许此操作"
    ),
    _code(
        10025,
        "TOO_LARGE",
        413,
        ("input.too_large",),
        "The request, or a field of it, is too large.",
        "请求或其中的字段过大",
    ),
    _code(
        10026,
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        ("http.body_of_another_kind",),
        "Send the body as JSON, with Content-Type: application/json.",
        "请以 JSON 发送请求体，并设置 Content-Type: application/json",
    ),
    _code(10027, "UNPROCESSABLE", 422, ("input.unprocessable",), "The request cannot be carried out.", "请求无法执行"),
    _code(
        10028,
        "RATE_LIMIT_EXCEEDED",
        429,
        ("limit.exceeded",),
        Text("Too many requests.", "Too many requests; try again in {seconds} seconds."),
        Text("请求过于频繁", "请求过于频繁，请在 {seconds} 秒后再试"),
    ),
    _code(10029, "INTERNAL_ERROR", 500, ("internal",), "Something went wrong on our side.", "服务器内部错误"),
    _code(
        10030,
        "UPSTREAM_FAILED",
        502,
        ("upstream.failed",),
        "A service that this one needs has failed.",
        "依赖的服务出错",
    ),
    _code(
        10031,
        "SERVICE_UNAVAILABLE",
        503,
        ("service.unavailable",),
        Text("The service is not ready.", "The service is not ready; try again in {seconds} seconds."),
        Text("服务暂不可用", "服务暂不可用，请在 {seconds} 秒后再试"),
    ),
    _code(
        10032,
        "IDEMPOTENCY_KEY_IN_USE",
        409,
        ("idempotency.in_use",),
        "A request with this Idempotency-Key is still being worked on.",
        "同一 Idempotency-Key 的请求正在处理中",
    ),
    _code(
        10033,
        "IDEMPOTENCY_KEY_REUSED",
        422,
        ("idempotency.reused",),
        "This Idempotency-Key was used with another request; take a new key.",
        "该 Idempotency-Key 已用于另一个请求，请更换",
    ),
    _code(10034, "PAYMENT_REQUIRED", 402, ("payment.required",), "The balance is not enough.", "余额不足"),
)

SIGN_IN = (
    _code(
        10002,
        "MISSING_CREDENTIALS",
        401,
        ("identity.token_missing",),
        "Send an access token: Authorization: Bearer <token>.",
        "请先登录：缺少 Authorization: Bearer 令牌",
    ),
    _code(10004, "USER_DISABLED", 403, ("identity.user_blocked",), "This account is blocked.", "账号已被停用"),
    _code(
        10006,
        "AUTH_INVALID_CREDENTIALS",
        401,
        ("identity.credentials_wrong",),
        "E-mail or password is wrong.",
        "邮箱或密码错误",
    ),
    _code(
        10007,
        "ACCOUNT_LOCKED",
        429,
        ("identity.sign_in_locked",),
        Text(
            "Too many failed sign-ins.",
            "Too many failed sign-ins; try again in {seconds} seconds, or sign in with a mail code.",
        ),
        Text("登录失败次数过多", "登录失败次数过多，请在 {seconds} 秒后再试，或使用邮箱验证码登录"),
    ),
    _code(
        10009,
        "TOKEN_TYPE_ERROR",
        401,
        ("identity.token_wrong_kind",),
        "This token is for something else: calls take the access token, renewal the refresh token.",
        "令牌类型错误：请求使用访问令牌，续期使用刷新令牌",
    ),
    _code(10011, "OLD_PASSWORD_WRONG", 403, ("identity.password_wrong",), "The old password is wrong.", "原密码错误"),
    _code(10013, "TOKEN_EXPIRED", 401, ("identity.token_expired",), "The token has expired.", "令牌已过期"),
    _code(
        10014,
        "TOKEN_REVOKED",
        401,
        ("identity.token_revoked",),
        "This session has ended; sign in again.",
        "会话已结束，请重新登录",
    ),
    _code(
        10015,
        "AUTH_INVALID_TOKEN",
        401,
        ("auth.required",),
        "The token is not valid; sign in again.",
        "令牌无效，请重新登录",
    ),
    _code(
        10016,
        "REFRESH_TOKEN_REUSED",
        401,
        ("identity.refresh_reused",),
        "This refresh token was used before, so its session has ended; sign in again.",
        "该刷新令牌已被使用过，会话已结束，请重新登录",
    ),
    _code(
        10017,
        "PASSWORD_WEAK",
        422,
        ("identity.password_common",),
        "This password is known to many; choose another one.",
        "该密码过于常见，请更换",
    ),
)

USERS = (
    _code(10104, "USER_NOT_FOUND", 404, ("identity.user_unknown",), "There is no such user.", "用户不存在"),
    _code(10105, "SESSION_NOT_FOUND", 404, ("identity.session_unknown",), "There is no such session.", "会话不存在"),
    _code(10106, "CODE_INVALID", 422, ("identity.code_invalid",), "The code is wrong.", "验证码错误"),
    _code(
        10107,
        "CODE_EXPIRED",
        422,
        ("identity.code_expired",),
        "The code has expired; ask for a new one.",
        "验证码已过期，请重新获取",
    ),
    _code(
        10108,
        "SEND_TOO_FREQUENT",
        429,
        ("identity.code_too_soon",),
        Text("A code was sent a moment ago.", "A code was sent a moment ago; try again in {seconds} seconds."),
        Text("验证码发送过于频繁", "验证码发送过于频繁，请在 {seconds} 秒后再试"),
    ),
    _code(
        10110,
        "ATTEMPTS_EXCEEDED",
        422,
        ("identity.code_exhausted",),
        "Too many wrong codes; ask for a new one.",
        "验证码错误次数过多，请重新获取",
    ),
    _code(
        10111,
        "SEND_LIMIT_REACHED",
        429,
        ("identity.codes_used_up",),
        "No more codes are sent today.",
        "今日验证码发送次数已用完",
    ),
)

ORDERS = (
    _code(20001, "ORDER_NOT_FOUND", 404, ("orders.unknown",), "There is no such order.", "订单不存在"),
    _code(
        20002,
        "ORDER_INVALID_STATUS",
        409,
        ("orders.not_payable",),
        "This order cannot be paid any more.",
        "订单已无法支付",
    ),
    _code(20003, "ORDER_EXPIRED", 409, ("orders.expired",), "This order was not paid in time.", "订单已过期"),
    _code(
        20005,
        "ORDER_CANNOT_CANCEL",
        409,
        ("orders.not_cancellable",),
        "This order cannot be cancelled any more.",
        "订单已无法取消",
    ),
    _code(
        20006,
        "PRODUCT_NOT_FOUND",
        404,
        ("orders.product_unknown",),
        "There is no such product on sale.",
        "商品不存在或已下架",
    ),
    _code(
        21001,
        "PAYMENT_GATEWAY_ERROR",
        502,
        ("orders.channel_refused",),
        "The payment channel refused the request.",
        "支付渠道拒绝了请求",
    ),
    _code(
        21004,
        "PAYMENT_METHOD_UNSUPPORTED",
        422,
        ("orders.channel_unknown",),
        "This way of paying is not offered.",
        "不支持该支付方式",
    ),
    _code(
        21005,
        "PAYMENT_GATEWAY_UNAVAILABLE",
        503,
        ("orders.channel_unavailable",),
        "The payment channel does not answer at present; try again shortly.",
        "支付渠道暂时没有响应，请稍后再试",
    ),
    _code(
        21006,
        "CURRENCY_UNSUPPORTED",
        422,
        ("orders.currency_not_taken",),
        "This way of paying does not take the product's currency; choose another one.",
        "该支付方式不支持此商品的币种，请更换",
    ),
)

CODES: tuple[Code, ...] = (*COMMON, *SIGN_IN, *USERS, *ORDERS)
BY_ERROR: Mapping[str, Code] = {dotted: code for code in CODES for dotted in code.errors}
BY_NAME: Mapping[str, Code] = {code.name: code for code in CODES}
