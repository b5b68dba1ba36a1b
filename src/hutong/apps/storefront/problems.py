"""What is wrong with a field, in every language, by pydantic's name of the problem. Places are filled from its context.

Source: reference/identity_orders.md §7; pydantic's list of validation errors.
"""

from collections.abc import Mapping

from hutong.kernel.http.languages import Language
from hutong.kernel.http.strict import FieldProblem, FieldsInvalid
from hutong.kit.errors import HutongError

ANY = "value_error"
TEXTS: Mapping[str, Mapping[Language, str]] = {
    ANY: {"en": "it is not valid", "zh-CN": "格式不正确"},
    "missing": {"en": "it is missing", "zh-CN": "缺少该字段"},
    "extra_forbidden": {"en": "there is no such field", "zh-CN": "没有这个字段"},
    "query_unknown": {
        "en": "this path takes each of these at most once: {names}",
        "zh-CN": "此地址只接受以下参数，且各至多一次：{names}",
    },
    "query_refused": {"en": "this path takes no query", "zh-CN": "此地址不接受查询参数"},
    "string_type": {"en": "it must be a string", "zh-CN": "必须是字符串"},
    "string_too_short": {
        "en": "it must have at least {min_length} characters",
        "zh-CN": "至少需要 {min_length} 个字符",
    },
    "string_too_long": {"en": "it must have at most {max_length} characters", "zh-CN": "最多 {max_length} 个字符"},
    "string_pattern_mismatch": {"en": "it does not have the right form", "zh-CN": "格式不正确"},
    "int_type": {"en": "it must be a whole number", "zh-CN": "必须是整数"},
    "int_parsing": {"en": "it must be a whole number", "zh-CN": "必须是整数"},
    "int_parsing_size": {"en": "the number is too large", "zh-CN": "数字过大"},
    "digits": {"en": "it must be written with digits only", "zh-CN": "只能使用数字"},
    "bool_type": {"en": "it must be true or false", "zh-CN": "必须是 true 或 false"},
    "greater_than_equal": {"en": "it must be at least {ge}", "zh-CN": "不能小于 {ge}"},
    "less_than_equal": {"en": "it must be at most {le}", "zh-CN": "不能大于 {le}"},
    "literal_error": {"en": "it must be one of {expected}", "zh-CN": "必须是以下之一：{expected}"},
    "enum": {"en": "it must be one of {expected}", "zh-CN": "必须是以下之一：{expected}"},
    "model_type": {"en": "it must be an object", "zh-CN": "必须是一个对象"},
    "model_attributes_type": {"en": "it must be an object", "zh-CN": "必须是一个对象"},
    "device_id_invalid": {"en": "it must have 1 to 128 printable characters", "zh-CN": "必须为 1 到 128 个可打印字符"},
    "email_invalid": {"en": "mail cannot be sent to this address", "zh-CN": "不是可以收信的邮箱地址"},
    "nickname_invalid": {"en": "it must have 1 to 64 printable characters", "zh-CN": "必须为 1 到 64 个可打印字符"},
    "password_too_short": {"en": "it must have at least 8 characters", "zh-CN": "至少需要 8 个字符"},
    "password_too_long": {"en": "it must have at most 256 bytes", "zh-CN": "最多 256 个字节"},
    "password_invalid": {"en": "it holds characters that are not text", "zh-CN": "含有无效字符"},
    "quantity_refused": {"en": "this product is not sold in that quantity", "zh-CN": "该商品不支持此购买数量"},
}
FIELDS: Mapping[str, str] = {
    "identity.device_id_invalid": "X-Device-ID",
    "identity.email_invalid": "email",
    "identity.nickname_invalid": "nickname",
    "identity.password_too_short": "password",
    "identity.password_too_long": "password",
    "identity.password_invalid": "password",
    "orders.quantity_refused": "quantity",
}
"""The field that an error of the kernel is about; the last part of its code names the problem."""


def problems_of(error: HutongError) -> tuple[FieldProblem, ...]:
    """The fields that an error is about."""
    if isinstance(error, FieldsInvalid):
        return error.problems
    field = FIELDS.get(error.code)
    return (FieldProblem(field, error.code.partition(".")[2], error.message),) if field else ()


def text_of(problem: FieldProblem, language: Language) -> str:
    """The problem in a language; what has no text of its own is said in general words."""
    texts = TEXTS.get(problem.kind) or TEXTS[ANY]
    try:
        return texts[language].format_map(problem.context)
    except KeyError:
        return TEXTS[ANY][language]
