"""What a request of Chat Completions asks for: checked as the vendor checks it. Source: reference/chat.md §2.1."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hutong.sandbox.openai.catalogue import MODELS, Model
from hutong.sandbox.openai.refusals import Refusal, invalid, no_model

ACCEPTED = frozenset(
    """
    audio function_call functions metadata modalities prediction prompt_cache_key prompt_cache_retention
    reasoning_effort safety_identifier service_tier store verbosity web_search_options
    """.split()  # noqa: SIM905 - words, and not code
)
"""Understood by the vendor, and of no effect here."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Picture(_Part):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class Part(_Part):
    """A part of a message: a text, or something else, which is there but not looked at."""

    type: Literal["text", "refusal", "image_url", "input_audio", "file"]
    text: str = ""
    image_url: Picture | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Part":
        if self.type == "image_url" and self.image_url is None:
            raise ValueError("a part of type image_url needs an image_url")
        return self


class Function(_Part):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class Tool(_Part):
    type: Literal["function"]
    function: Function


class Called(_Part):
    id: str
    type: Literal["function"] = "function"
    function: dict[str, Any]


class Message(_Part):
    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """What it says in words."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def pictures(self) -> list[Picture]:
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url for part in parts if part.image_url is not None]


class Schema(_Part):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    json_schema: dict[str, Any] = Field(default={}, alias="schema")


class Format(_Part):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: Schema | None = None


class StreamOptions(_Part):
    include_usage: bool = False
    include_obfuscation: bool | None = None


class Chosen(_Part):
    type: Literal["function"]
    function: dict[str, str]


class Asked(BaseModel):
    """The whole request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(1, ge=1, le=128)
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    response_format: Format | None = None
    tools: Annotated[list[Tool], Field(min_length=1, max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Chosen | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    logit_bias: dict[str, float] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = None
    user: str | None = None

    @property
    def stops(self) -> list[str]:
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [word for word in given if word]

    @property
    def most(self) -> int | None:
        """Tokens that each choice may have, if the request limits them."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def facts(self) -> Model:
        return MODELS[self.model]


def asked_in(body: dict[str, Any]) -> Asked:
    """The request, if the vendor would take it.

    Raises:
        Refusal: 400 or 404.
    """
    try:
        asked = Asked.model_validate({name: value for name, value in body.items() if name not in ACCEPTED})
    except ValidationError as wrong:
        raise _told(wrong) from None
    if asked.model not in MODELS:
        raise no_model(asked.model)
    _check_together(asked)
    _check_abilities(asked)
    _check_tool_answers(asked.messages)
    return asked


def _told(wrong: ValidationError) -> Refusal:
    """The first thing that is wrong, in the vendor's codes."""
    first = wrong.errors(include_url=False)[0]
    param = ".".join(str(part) for part in first["loc"])
    code = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}.get(
        first["type"], "invalid_type" if first["type"].endswith("_type") else "invalid_value"
    )
    return invalid(f"Invalid value for '{param}': {first['msg']}.", param, code)


def _check_together(asked: Asked) -> None:
    if asked.max_tokens and asked.max_completion_tokens:
        raise invalid(
            "Set 'max_tokens' or 'max_completion_tokens', not both.", "max_tokens", "invalid_parameter_combination"
        )
    if asked.stream_options is not None and not asked.stream:
        raise invalid("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise invalid("'top_logprobs' needs 'logprobs' to be true.", "top_logprobs")
    if (asked.tool_choice or asked.parallel_tool_calls) and not asked.tools:
        raise invalid("'tool_choice' is only allowed when 'tools' are given.", "tool_choice")
    wanted = asked.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
        raise invalid("Missing required parameter: 'response_format.json_schema'.", "response_format.json_schema")
    if wanted is not None and wanted.type == "json_object" and not any(_says_json(each) for each in asked.messages):
        raise invalid(
            "'messages' must contain the word 'json' to use a 'response_format' of type 'json_object'.", "messages"
        )


def _says_json(message: Message) -> bool:
    return "json" in message.text.lower()


def _check_abilities(asked: Asked) -> None:
    facts = asked.facts
    if asked.most and asked.most > facts.output:
        raise invalid(
            f"max_tokens is too large: {asked.most}. This model supports at most {facts.output} completion tokens.",
            "max_tokens",
            "invalid_value",
        )
    if not facts.vision and any(message.pictures for message in asked.messages):
        raise invalid("This model does not take pictures: image_url is only supported by certain models.", "messages")
    if not facts.tools and asked.tools:
        raise invalid(f"tools is not supported in this model: {asked.model}.", "tools", "unsupported_parameter")


def _check_tool_answers(messages: list[Message]) -> None:
    """Answers of tools stand right behind the calls that they answer, one for each."""
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise invalid(
                    "A message of role 'tool' must answer a preceding call in 'tool_calls'.", f"messages.{number}.role"
                )
            open_calls.discard(message.tool_call_id or "")
            continue
        if open_calls:
            break
        open_calls = {call.id for call in message.tool_calls or []}
    if open_calls:
        missing = ", ".join(sorted(open_calls))
        raise invalid(f"'tool_calls' must be followed by messages of role 'tool' for each: {missing}.", "messages")
