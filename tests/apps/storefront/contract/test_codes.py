"""The table of codes: every error has a row, every row a text in every language, and nothing is said twice or for nobody."""

import re
import string

import orjson
import pytest

from hutong.apps.storefront import problems
from hutong.apps.storefront.codes import BY_ERROR, CODES, SUCCESS, Code
from hutong.apps.storefront.envelope import Bodies, code_of
from hutong.host import wiring
from hutong.kernel.http.languages import LANGUAGES, Language
from hutong.kernel.http.strict import FieldProblem, FieldsInvalid
from hutong.kit.errors import HutongError, error_classes

assert wiring.SPECS  # importing it imports every error class
SEED = {"VALIDATION_ERROR": 10001, "AUTH_INVALID_CREDENTIALS": 10006, "USER_NOT_FOUND": 10104, "ORDER_NOT_FOUND": 20001}
OTHER_STATUS = {
    "VALIDATION_ERROR": "422 for a field, whatever the kernel thinks of it as",
    "INVALID_REQUEST": "a Range is for files, and these are not served here",
}
"""Codes whose HTTP status is not that of every error behind them."""


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def scope(language: str = "en", path: str = "/api/client/auth/me", **headers: str) -> dict[str, object]:
    sent = [(b"accept-language", language.encode())]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "root_path": "", "headers": sent, "state": {"request_id": "a-request"}}


@pytest.mark.parametrize("cls", list(error_classes()), ids=lambda cls: cls.__name__)
def test_every_error_has_a_row_of_its_own_kind(cls: type[HutongError]) -> None:
    code = code_of(cls)

    assert code.name == "INTERNAL_ERROR" or cls is not HutongError
    assert code.status == cls.status or code.name in OTHER_STATUS, (code.name, cls.status)
    assert (code.name == "INTERNAL_ERROR") == (cls.status == 500)


def test_the_seeds_numbers_are_the_seeds() -> None:
    named = {code.name: code.number for code in CODES}

    assert SUCCESS == 10000
    assert {name: named[name] for name in SEED} == SEED


def test_numbers_names_and_errors_are_there_once_and_in_their_family() -> None:
    assert len({code.number for code in CODES}) == len({code.name for code in CODES}) == len(CODES)
    assert len(BY_ERROR) == sum(len(code.errors) for code in CODES)
    assert {code.number // 100 for code in CODES} == {100, 101, 200, 210}


def test_no_row_is_for_nobody() -> None:
    """Each row stands for an error that exists, and each of its errors does."""
    existing = {cls.__dict__["code"] for cls in error_classes() if "code" in cls.__dict__}

    assert set(BY_ERROR) - existing == set()
    assert [code.name for code in CODES if not code.errors] == []


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_code_says_the_same_in_every_language(code: Code) -> None:
    """A text in each, with the same places in it; a title has none."""
    assert set(code.texts) == set(LANGUAGES)
    assert len({text.title for text in code.texts.values()}) == len(LANGUAGES)
    assert {frozenset(places(text.title)) for text in code.texts.values()} == {frozenset()}
    assert len({frozenset(places(text.detail)) for text in code.texts.values()}) == 1
    assert not re.search(r"[一-鿿]", code.texts["en"].title + code.texts["en"].detail)
    assert re.search(r"[一-鿿]", code.texts["zh-CN"].title)


@pytest.mark.parametrize("kind", problems.TEXTS)
def test_a_problem_of_a_field_says_the_same_in_every_language(kind: str) -> None:
    texts = problems.TEXTS[kind]

    assert set(texts) == set(LANGUAGES)
    assert len({frozenset(places(text)) for text in texts.values()}) == 1
    assert re.search(r"[一-鿿]", texts["zh-CN"]) and not re.search(r"[一-鿿]", texts["en"])


def test_every_error_about_a_field_has_a_text_for_it() -> None:
    assert {dotted.partition(".")[2] for dotted in problems.FIELDS} <= set(problems.TEXTS)
    assert set(problems.FIELDS) <= set(BY_ERROR)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cls", list(error_classes()), ids=lambda cls: cls.__name__)
def test_no_place_is_left_open(cls: type[HutongError], language: Language) -> None:
    """With and without a time to wait, no body shows a brace or an English word to Chinese readers."""
    made = [cls.__new__(cls), cls.__new__(cls)]
    for error, seconds in zip(made, (None, 12.3), strict=True):
        HutongError.__init__(error, "A message.", retry_after=seconds)
        if isinstance(error, FieldsInvalid):
            error.problems = (FieldProblem("name", "missing", "x"),)
    for error in made:
        status, headers, body = Bodies()(error, scope(language))
        found = orjson.loads(body)
        assert set(found) == {"code", "data", "msg"} and status == code_of(cls).status
        assert not re.search(r"[{}]", found["msg"])
        assert bool(re.search(r"[一-鿿]", found["msg"])) == (language == "zh-CN")
        assert dict(headers)[b"content-language"].decode() == language
        assert (dict(headers).get(b"retry-after") == b"13") == (error.retry_after is not None)


def test_old_clients_get_200_with_the_same_body_and_headers() -> None:
    """But for vendors and load balancers, and for those who ask for problem details."""
    error = HutongError.__subclasses__()[0](retry_after=3)
    strict, lax = Bodies(), Bodies(always_200=True)

    assert strict(error, scope())[1:] == lax(error, scope())[1:]
    assert (strict(error, scope())[0], lax(error, scope())[0]) == (error.status, 200)
    assert dict(lax(error, scope())[1])[b"retry-after"] == b"3"
    for path in ("/api/payment/notify/wechat", "/api/system/health"):
        assert lax(error, scope(path=path))[0] == error.status
    mounted = scope(path="/storefront/api/payment/notify/wechat") | {"root_path": "/storefront"}
    assert lax(error, mounted)[0] == error.status
    assert lax(error, scope(accept="application/problem+json"))[0] == error.status


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json;q=0.5", True),
        ("application/problem+json; q=0", False),
        ("application/problem+json;q=0.000, */*", False),
        ("application/json", False),
        ("*/*", False),
        ("application/problem+jsonx", False),
        ("x" * 600 + ",application/problem+json", False),
        ("", False),
    ],
)
def test_problem_details_are_for_those_who_ask(accept: str, wanted: bool) -> None:
    """RFC 9457, with the code and the fields as extensions."""
    error = FieldsInvalid([FieldProblem("email", "string_too_short", "x", {"min_length": 3})])
    status, headers, body = Bodies()(error, scope("zh", accept=accept))
    found = orjson.loads(body)
    kind = dict(headers)[b"content-type"].decode()

    assert (kind == "application/problem+json") == wanted
    assert dict(headers)[b"vary"] == b"Accept, Accept-Language"
    if wanted:
        assert found == {
            "type": "urn:hutong:storefront:10001",
            "title": "请求参数有误",
            "status": status,
            "detail": "email：至少需要 3 个字符",
            "instance": "/api/client/auth/me",
            "code": 10001,
            "name": "VALIDATION_ERROR",
            "request_id": "a-request",
            "errors": [{"field": "email", "code": "string_too_short", "msg": "至少需要 3 个字符"}],
        }
