"""The response object: what a request asked for, said back, and what came of it so far.

Source: OpenAI's API reference for responses, "The response object" (reference/chat.md §2.2).
"""

from collections.abc import Mapping
from typing import Any

from hutong.kernel.gateway.chat import Usage

ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response says of its request, and what it says where that said nothing."""


def new_response(response_id: str, body: Mapping[str, Any], created_at: int) -> dict[str, Any]:
    """The object of a response that has just been asked for.

    Args:
        response_id: of ours.
        body: the checked request.
        created_at: seconds since 1970.
    """
    given = {name: body[name] for name in ECHOED if body.get(name) is not None}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "queued" if body.get("background") else "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": [],
        "usage": None,
        **ECHOED,
        **given,
    }


def usage_of(usage: Usage, reasoning: int = 0) -> dict[str, Any]:
    """Tokens in the words of Responses.

    Args:
        usage: of the call.
        reasoning: those of the output that nobody sees.
    """
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": usage.total,
    }
