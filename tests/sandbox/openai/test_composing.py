"""What the sandbox says: in the asker's language, about what was asked, sums right, code as code, titles short."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.sandbox.openai.arithmetic import worked_out
from hutong.sandbox.openai.asking import asked_in
from hutong.sandbox.openai.composing import composed
from hutong.sandbox.openai.shapes import Words, instance
from hutong.sandbox.openai.understanding import titled
from support.openai_sandbox import MODEL, said


def _says(*texts: str, **more: Any) -> str:
    """The answer to the last of some messages of a user."""
    messages = [message for text in texts for message in (*said(text), *said("I see.", "assistant"))][:-1]
    return composed(asked_in({"model": MODEL, "messages": messages, **more}), 0)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is a hutong?", ["**a hutong**", "Hutong's sandbox"]),
        ("请问什么是胡同？", ["**胡同**", "Hutong 沙箱"]),
        ("What is a 胡同, in English please?", ["Hutong's sandbox"]),
        ("用中文介绍一下 Beijing hutongs and their doors", ["Hutong 沙箱"]),
        ("hello", ["Hello!", "OpenAI sandbox"]),
        ("你好", ["你好！", "沙箱"]),
        ("", ["Hello!"]),
    ],
)
def test_it_answers_in_the_language_of_the_question_and_says_what_it_is(question: str, words: list[str]) -> None:
    answer = _says(question)

    assert [word for word in words if word not in answer] == []
    assert answer == _says(question)


def test_it_remembers_what_was_said_before() -> None:
    assert "*hutongs*" in _says("Tell me about hutongs", "And about courtyards?")
    assert "“胡同”" in _says("介绍一下胡同", "那四合院呢？")


SUMS = {
    "What is 17 * 23?": "17 × 23 = 391",
    "(1,000 + 24) / 2^3 please": "= 128",
    "计算 3 除以 8": "3 / 8 = 0.375",
    "12 plus 30": "12 + 30 = 42",
    "7乘以6等于多少": "7 × 6 = 42",
    "10 / 3 =": "10 / 3 = ≈ 3.333333",
    "100 % 7": "100 % 7 = 2",
}


@pytest.mark.parametrize("question", SUMS)
def test_sums_are_right(question: str) -> None:
    assert SUMS[question] in _says(question)


@pytest.mark.parametrize("text", ["1/0", "9^9^9^9", "9**999999", "2024-01-02", "555-1234", "(((", "1+", "a - b"])
def test_what_is_no_sum_is_left_alone(text: str) -> None:
    assert worked_out(text) is None


@given(st.text(alphabet="0123456789+-*/%^(). ,×÷", max_size=60))
def test_no_sum_takes_long_or_breaks_anything(text: str) -> None:
    assert worked_out(text) is None or "=" not in str(worked_out(text))


def test_python_that_it_writes_is_python() -> None:
    answer = _says("Write a Python function that reverses a list")
    source = answer.split("```python\n")[1].split("```")[0]

    (function, *_) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef) and "items[::-1]" in source


@pytest.mark.parametrize(
    ("question", "fence"),
    [
        ("Write a SQL query that counts users", "```sql"),
        ("给我一个 JavaScript 函数的例子", "```javascript"),
        ("用 Go 写一个函数", "```go"),
        ("Show me a bash script", "```bash"),
        ("Give me some Rust code", "```rust"),
        ("写一段代码", "```python"),
    ],
)
def test_code_is_fenced_in_its_language(question: str, fence: str) -> None:
    answer = _says(question)

    assert fence in answer and answer.count("```") == 2


@pytest.mark.parametrize(
    ("messages", "title"),
    [
        (said("Generate a short title for this conversation: How do I bake bread at home?"), "Bake Bread At Home"),
        (said("为下面的对话起一个标题：怎么在家烤面包？"), "在家烤面包"),
        (
            [
                *said("Summarize the conversation as a title of at most six words.", "system"),
                *said("Tell me about the history of hutongs in the old city of Beijing"),
            ],
            "The History Of Hutongs In The",
        ),
        (
            [*said("What is a siheyuan?"), *said("A yard.", "assistant"), *said("Give this chat a short title")],
            "A Siheyuan",
        ),
    ],
)
def test_a_title_is_short_and_nothing_but_a_title(messages: list[Any], title: str) -> None:
    assert composed(asked_in({"model": MODEL, "messages": messages}), 0) == title


@given(st.text(max_size=300))
def test_any_text_has_a_short_title_and_an_answer(text: str) -> None:
    assert len(titled(text)) <= 200
    assert "Hutong" in _says(text) or len(_says(text)) < 200


def test_a_long_answer_is_long() -> None:
    assert len(_says("Explain hutongs in 800 words").split()) >= 800
    assert len(_says("介绍胡同，2000字左右")) >= 2000
    assert len(_says("Write a Python function that sorts names, and explain it in 300 words").split()) >= 300


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["yard", "lane"]},
        "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
        "count": {"type": "integer", "minimum": 5},
        "share": {"type": "number", "maximum": 0.5},
        "open": {"type": ["boolean", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "when": {"type": "string", "format": "date"},
        "fixed": {"const": 7},
    },
    "$defs": {"place": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


def test_a_value_of_a_schema() -> None:
    assert instance(SCHEMA, Words("Walk the Lane near Qianmen 3 times, 2 hours")) == {
        "kind": "lane",
        "next": {"name": "Lane"},
        "count": 5,
        "share": 0.5,
        "open": True,
        "tags": ["Qianmen", "Walk the Lane near Qianmen 3 times, 2 hours"],
        "when": "2026-01-01",
        "fixed": 7,
    }


LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ODD = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "$ref", "anyOf", "enum", "minItems", "minimum", "maxLength", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(ODD)
def test_a_schema_of_any_shape_has_some_value(schema: Any) -> None:
    instance(schema, Words("any 1 thing"))
