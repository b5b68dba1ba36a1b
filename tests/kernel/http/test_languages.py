"""Which language an answer is in. Source: RFC 4647 §3.4, RFC 9110 §12.4.2; reference/identity_orders.md §7, X08."""

import time

import pytest

from hutong.kernel.http.languages import CHOSEN, LONGEST_HEADER, Language, language_of, negotiate

ASKED: dict[str, Language] = {
    "": "en",
    "*": "en",
    "zh": "zh-CN",
    "zh-CN": "zh-CN",
    "ZH-hant-TW": "zh-CN",
    "zh-HK": "zh-CN",
    "zh-Hans-SG": "zh-CN",
    "en-GB": "en",
    "en-AU,zh": "en",
    "zh,en": "zh-CN",
    "fr, zh;q=0.1": "zh-CN",
    "en;q=0.2,zh-TW;q=0.8": "zh-CN",
    "zh ; q=0.3 , en ; Q=0.4": "en",
    "zh;q=1.000,en;q=0.999": "zh-CN",
    # what is refused is not given, if there is anything else
    "zh;q=0": "en",
    "en;q=0": "zh-CN",
    "en;q=0, *": "zh-CN",
    "zh;q=0, zh-CN": "zh-CN",
    "zh-CN;q=0, zh": "en",
    "zh-TW;q=0, zh": "zh-CN",
    "en;q=0, zh;q=0": "en",
    # a star alone asks for nothing
    "*, zh;q=0.5": "zh-CN",
    "*;q=0.5, fr": "en",
    # nonsense is passed over, the rest counts
    "en;q=abc": "en",
    "zh;q=abc": "en",
    "zh;q=abc, zh-SG;q=0.5": "zh-CN",
    "zh;q=2": "en",
    "zh;q=-1": "en",
    "zh;q=0.1234": "en",
    "zh;q=1e0": "en",
    "zh;q=": "en",
    "zh;level=1": "en",
    "zh_CN": "en",
    "zhongwen": "en",
    "zhen, english": "en",
    ";;;,,q=": "en",
    "\x00zh": "en",
    "zh\xff": "en",
    "１": "en",
}


@pytest.mark.parametrize(("accept", "language"), ASKED.items(), ids=map(repr, ASKED))
def test_the_header_decides(accept: str, language: Language) -> None:
    assert negotiate(accept) == language


def test_the_default_is_what_the_caller_of_the_function_says() -> None:
    assert negotiate("*", "zh-CN") == negotiate("en;q=abc", "zh-CN") == "zh-CN"


def test_a_long_header_is_read_to_a_point_and_no_further() -> None:
    """Eight kilobytes of it cost no more than the first 256 characters, and a range that is cut there is none."""
    filling = "fr;q=0.5," * 28  # 252 characters
    start = time.perf_counter()

    assert negotiate("de," * 2700 + "zh") == "en"
    assert negotiate("zh," + "de," * 2700) == "zh-CN"
    assert (filling + "zh;q=0.9")[:LONGEST_HEADER].endswith(",zh;q")
    assert negotiate(filling + "zh;q=0.9") == "en"
    assert negotiate("a" * 8192) == "en"
    assert time.perf_counter() - start < 0.1


def test_a_choice_of_the_user_comes_before_the_header() -> None:
    scope = {"headers": [(b"accept-language", b"en")], "state": {}}

    assert language_of(scope) == "en"
    assert language_of(scope | {"state": {CHOSEN: "zh-CN"}}) == "zh-CN"


def test_several_lines_of_the_header_are_one_list() -> None:
    lines = [(b"accept-language", b"en;q=0.5"), (b"accept-language", b"zh-TW")]

    assert language_of({"headers": lines}) == "zh-CN"
    assert language_of({"headers": []}) == "en"
