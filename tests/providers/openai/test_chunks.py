"""Chunks of any shape: understood, or refused as what they are, never an accident."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hutong.providers.openai.chunks import Chunks, NotAChunk, answer_in
from hutong.providers.openai.errors import failure_in

LEAF = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5)
ANY = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
CALL = st.fixed_dictionaries({}, optional={"function": ANY | st.fixed_dictionaries({"name": ANY, "arguments": ANY})})
MESSAGE = ANY | st.fixed_dictionaries(
    {},
    optional={
        "content": ANY,
        "refusal": ANY,
        "reasoning": ANY,
        "tool_calls": ANY | st.lists(CALL),
        "function_call": ANY,
    },
)
CHOICE = ANY | st.fixed_dictionaries(
    {}, optional={"index": ANY, "delta": MESSAGE, "message": MESSAGE, "finish_reason": ANY}
)
COUNTS = st.fixed_dictionaries(
    {}, optional={"prompt_tokens": ANY, "completion_tokens": ANY, "prompt_tokens_details": ANY}
)
BODY = ANY | st.fixed_dictionaries(
    {}, optional={"choices": ANY | st.lists(CHOICE, max_size=3), "usage": ANY | COUNTS, "model": ANY}
)


@given(BODY)
def test_a_chunk_is_understood_or_refused(body: Any) -> None:
    chunks = Chunks("alias", keep_null_usage=False)
    try:
        delta = chunks.delta(orjson.dumps(body))
    except NotAChunk:
        return
    assert delta is not None
    assert orjson.loads(delta.raw)["model"] == "alias"
    assert isinstance(delta.text + delta.beside, str)
    assert delta.usage is None or min(delta.usage.prompt, delta.usage.completion, delta.usage.cached) >= 0


@given(BODY)
def test_an_answer_is_understood_or_refused(body: Any) -> None:
    try:
        answer = answer_in(body, "alias", "")
    except NotAChunk:
        return
    assert orjson.loads(answer.body)["model"] == "alias"
    assert isinstance(answer.text, str)


@given(
    ANY | st.fixed_dictionaries({}, optional={"code": ANY, "type": ANY, "message": ANY, "status": ANY}),
    st.integers(0, 599),
)
def test_an_error_of_any_shape_is_an_error_of_ours(error: Any, status: int) -> None:
    found = failure_in(error, status)

    assert found.code.startswith("gateway.")
    assert len(found.message) <= 500
