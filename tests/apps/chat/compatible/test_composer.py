"""From recorded chunks to the events of a response, and from a request for one to Chat Completions: pure."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import orjson
import pytest

from hutong.apps.chat.compatible.bodies import read_call, reserve_for
from hutong.apps.chat.compatible.errors import ParameterInvalid
from hutong.apps.chat.compatible.responses.composer import Composer, Event
from hutong.apps.chat.compatible.responses.objects import new_response, usage_of
from hutong.apps.chat.compatible.responses.request import as_chat, read_request
from hutong.apps.chat.compatible.tables import ResponseStatus
from hutong.kernel.gateway.chat import Usage
from hutong.kernel.gateway.models import Facts


def _chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _call(index: int, arguments: str, **first: Any) -> dict[str, Any]:
    name = {"name": first.pop("name")} if "name" in first else {}
    return {"index": index, **first, "function": {**name, "arguments": arguments}}


def _composed(chunks: Sequence[dict[str, Any]], status: ResponseStatus | None = None) -> tuple[list[Event], Any]:
    numbers = count()
    response = new_response("resp_1", {"model": "m", "input": []}, 7)
    composer = Composer(response, lambda prefix: f"{prefix}{next(numbers)}")
    events = composer.begin()
    for chunk in chunks:
        events += composer.add(chunk)
    events += composer.end(status, 9, usage_of(Usage(5, 3)))
    return events, composer.response


def test_every_event_has_the_next_number_and_the_object_of_its_moment() -> None:
    events, response = _composed([_chunk(role="assistant", content=""), _chunk(content="Hi"), _chunk("stop")])

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["response"]["status"] == "in_progress" and events[0]["response"]["output"] == []
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"
    assert (response["status"], response["completed_at"]) == ("completed", 9)
    assert response["usage"]["total_tokens"] == 8


def test_items_follow_each_other() -> None:
    """What was thought, what was said, and two calls whose fragments do not mix."""
    events, response = _composed(
        [
            _chunk(reasoning_content="Hm"),
            _chunk(reasoning_content="m."),
            _chunk(content="Let me look."),
            _chunk(tool_calls=[_call(0, "", id="call_a", name="one")]),
            _chunk(tool_calls=[_call(0, '{"a":'), _call(0, "1}")]),
            _chunk(tool_calls=[_call(1, "{}", id="call_b", name="two")]),
            _chunk("tool_calls"),
        ]
    )
    output = response["output"]

    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Hmm."}]
    assert [(each["name"], each["arguments"], each["call_id"]) for each in output[2:]] == [
        ("one", '{"a":1}', "call_a"),
        ("two", "{}", "call_b"),
    ]
    assert all(item["status"] == "completed" for item in output)
    done = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    assert done == [0, 1, 2, 3]


def test_deltas_add_up_to_what_is_done() -> None:
    events, _ = _composed([_chunk(content=piece) for piece in ("你", "好", "!")] + [_chunk("stop")])
    deltas = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    (done,) = (event["text"] for event in events if event["type"] == "response.output_text.done")

    assert deltas == done == "你好!"


@pytest.mark.parametrize(
    ("finish", "status", "ended", "reason"),
    [
        ("stop", None, "completed", None),
        ("length", None, "incomplete", "max_output_tokens"),
        ("content_filter", None, "incomplete", "content_filter"),
        (None, ResponseStatus.CANCELLED, "cancelled", None),
        (None, ResponseStatus.FAILED, "failed", None),
    ],
)
def test_how_it_ends_is_said(finish: str | None, status: ResponseStatus | None, ended: str, reason: str | None) -> None:
    events, response = _composed([_chunk(content="x"), _chunk(finish)], status)

    assert (response["status"], events[-1]["type"]) == (ended, f"response.{ended}")
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert response["output"][0]["status"] == ("completed" if ended == "completed" else "incomplete")


def test_a_refusal_and_log_probabilities_have_their_places() -> None:
    said = [{"token": "x", "logprob": -0.1, "bytes": [120], "top_logprobs": []}]
    chunk = _chunk(content="x")
    chunk["choices"][0]["logprobs"] = {"content": said}
    _, response = _composed([chunk, _chunk(refusal="No."), _chunk("stop")])
    text, refusal = response["output"][0]["content"]

    assert text["logprobs"] == said and refusal == {"type": "refusal", "refusal": "No."}


def test_a_whole_answer_is_one_large_chunk() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
    }
    _, response = _composed([{"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}])

    assert [item["type"] for item in response["output"]] == ["message", "function_call"]


def test_a_request_is_said_again() -> None:
    body = read_request(
        orjson.dumps(
            {
                "model": "m",
                "instructions": "Be brief.",
                "input": [
                    {"role": "developer", "content": "D"},
                    {"role": "user", "content": [{"type": "input_text", "text": "U"}, _picture("https://x/y.png")]},
                    {"type": "reasoning", "id": "rs_1", "summary": []},
                    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "O"},
                ],
                "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
                "tool_choice": {"type": "function", "name": "f"},
                "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}},
                "reasoning": {"effort": "low"},
                "max_output_tokens": 9,
            }
        )
    )
    chat = as_chat(body, [], reasoning=True)

    assert [message["role"] for message in chat["messages"]] == ["system", "system", "user", "assistant", "tool"]
    assert chat["messages"][2]["content"][1] == {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    assert chat["messages"][3]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert chat["response_format"]["json_schema"] == {"name": "n", "schema": {}, "strict": True}
    assert (chat["reasoning_effort"], chat["max_completion_tokens"]) == ("low", 9)
    assert "max_tokens" in as_chat(body, [], reasoning=False)


def _picture(url: str) -> dict[str, str]:
    return {"type": "input_image", "image_url": url}


def test_what_is_set_aside_covers_what_may_be_written() -> None:
    facts = Facts(window=1000, output=100)
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 300}]}

    assert reserve_for(body, facts, 50) == 8 + 100 + 50
    assert reserve_for({**body, "max_tokens": 10, "n": 3}, facts, 50) == 8 + 100 + 30
    assert reserve_for({**body, "max_completion_tokens": 10**9}, facts, 50) == 8 + 100 + 100
    assert reserve_for({**body, "messages": [{"role": "user", "content": "字" * 10_000}]}, facts, 50) == 1000 + 50


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": NaN}', b'{"model": "\xff"}'])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(Exception, match="JSON object"):
        read_call(content)


def test_a_parameter_that_nobody_knows_passes() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "enable_thinking": {"deep": [1]}, "n": None}
    assert read_call(orjson.dumps(body)) == body
    with pytest.raises(ParameterInvalid):
        read_call(orjson.dumps({**body, "n": True}))
