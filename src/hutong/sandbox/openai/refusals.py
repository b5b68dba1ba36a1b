"""Errors in OpenAI's shape. Source: OpenAI's page on error codes; reference/chat.md §2.1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST = "invalid_request_error"


@dataclass
class Refusal(Exception):
    """A call gets no service: status, the four fields of the error, and headers that go with it."""

    status: int
    message: str
    kind: str = REQUEST
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """400: the request is wrong."""
    return Refusal(400, message, param=param, code=code)


def no_key() -> Refusal:
    return Refusal(401, "No API key was given. Send it in a header: Authorization: Bearer YOUR_KEY.")


def wrong_key(shown: str) -> Refusal:
    """401, with the key so that its owner recognises it and nobody else can use it."""
    masked = f"{shown[:3]}{'*' * 8}{shown[-4:]}" if len(shown) > 12 else "*" * len(shown)
    return Refusal(401, f"Incorrect API key provided: {masked}.", code="invalid_api_key")


def no_model(name: str) -> Refusal:
    return Refusal(
        404,
        f"The model `{name}` does not exist or you do not have access to it.",
        param="model",
        code="model_not_found",
    )


def too_long(window: int, prompt: int, wanted: int) -> Refusal:
    """400: the conversation, with what may be written, does not fit into the model's window."""
    asked = (
        f"{prompt + wanted} tokens ({prompt} in the messages, {wanted} in the completion)"
        if wanted
        else f"{prompt} tokens"
    )
    message = f"This model's maximum context length is {window} tokens. However, you requested {asked}."
    return invalid(message, "messages", "context_length_exceeded")


def too_fast(of: str, limit: int, wait: float) -> Refusal:
    """429: more than the account may ask a minute.

    Args:
        of: requests or tokens.
        limit: so many a minute.
        wait: seconds until there is room again.
    """
    message = f"Rate limit reached on {of} per minute: limit {limit}. Please try again in {wait:.3g}s."
    return Refusal(429, message, of, code="rate_limit_exceeded", headers=retry_after(wait))


def retry_after(seconds: float) -> dict[str, str]:
    """The headers that tell when to come back: whole seconds, and the exact time."""
    return {"retry-after": str(-int(-seconds // 1)), "retry-after-ms": str(int(seconds * 1000))}


FAILURES: Mapping[str, Refusal] = {
    "server_error": Refusal(500, "The server had an error while processing your request.", "server_error"),
    "bad_gateway": Refusal(502, "", "server_error"),
    "overloaded": Refusal(
        503, "That model is overloaded with other requests.", "server_error", code="engine_overloaded"
    ),
    "rate_limit_exceeded": Refusal(429, "Rate limit reached for requests.", "requests", code="rate_limit_exceeded"),
    "insufficient_quota": Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        code="insufficient_quota",
        headers={"x-should-retry": "false"},
    ),
    "invalid_api_key": Refusal(401, "Incorrect API key provided: sk-********.", code="invalid_api_key"),
    "model_not_found": Refusal(
        404, "The model does not exist or you do not have access to it.", code="model_not_found"
    ),
    "context_length_exceeded": Refusal(
        400,
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens.",
        param="messages",
        code="context_length_exceeded",
    ),
    "content_policy_violation": Refusal(
        400, "Your request was rejected by the safety system.", code="content_policy_violation"
    ),
}
"""What a button can make the next calls fail with; `bad_gateway` is a page of a proxy, not JSON."""
