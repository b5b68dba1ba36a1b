"""Answers are cut where they are written, byte for byte, and read strictly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.providers.alipay.signed_json import AnswerMalformed, members, object_of, text_of

SPACE = st.text(alphabet=" \t\r\n", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), SPACE, SPACE, st.booleans())
def test_each_member_is_the_bytes_that_it_is_written_with(
    content: dict[str, Any], before: str, between: str, ascii_only: bool
) -> None:
    written = {name: json.dumps(value, ensure_ascii=ascii_only).encode() for name, value in content.items()}
    parts = [json.dumps(name).encode() + between.encode() + b":" + value for name, value in written.items()]
    body = before.encode() + b"{" + (before.encode() + b"," + between.encode()).join(parts) + b"}" + between.encode()
    if not content:
        with pytest.raises(AnswerMalformed):
            members(body)
        return
    assert members(body) == written


def test_escapes_braces_and_spaces_stay_as_they_are() -> None:
    inner = rb'{ "a" : "\/}{\"\u4e2d",  "b":[1.50 ,{}] }'
    assert members(b'{"x_response":' + inner + b',"sign":"c2ln"}')["x_response"] == inner


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{", b"{}", b'{"a":1', b'{"a":1}}', b'{"a":1,}', b'{"a":1 "b":2}', b'{"a"}', b"{a:1}"),
        *(b'{"a":1,"a":2}', b'{"a":1}x', b'{"a":NaN}', b'{"a":{"b":1,"b":2}}', b'{"\xff":1}', b"<html></html>"),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        members(body)


def test_numbers_are_kept_as_they_are_written() -> None:
    assert object_of(b'{"total_amount": 88.80, "n": 12}') == {"total_amount": "88.80", "n": "12"}


@pytest.mark.parametrize("raw", [b"[1]", b'{"a":Infinity}', b'{"a":1,"a":1}', b"", b'"x"', b"{'a':1}"])
def test_a_content_that_is_ambiguous_is_refused(raw: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        object_of(raw)


@pytest.mark.parametrize("raw", [b"1", b"null", b"", b"{}"])
def test_a_signature_is_a_string(raw: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        text_of(raw)
