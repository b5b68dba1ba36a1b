"""Settings of OpenAI-compatible providers."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from hutong.kernel.settings import Section

SANDBOX_KEY = "sk-sandbox"
NAME = r"^[a-z][a-z0-9_-]{0,31}$"


class ProviderSettings(Section):
    """One provider under one account."""

    name: Annotated[str, Field(pattern=NAME)] = Field(description="As in the routes of `models.yaml` and in metrics.")
    base_url: str = Field(
        "", description="As its clients take it, mostly ending in `/v1`; empty: this installation's sandbox."
    )
    api_key: SecretStr = Field(SecretStr(SANDBOX_KEY), description="The account's key.")
    private: bool = Field(
        False, description="Whether it may lie on this machine or in a private network, as vLLM and Ollama do."
    )
    first_token: float = Field(60.0, gt=0, description="Seconds until the first token of a stream must be there.")
    between_tokens: float = Field(30.0, gt=0, description="Seconds that a stream may be silent.")
    whole: float = Field(600.0, gt=0, description="Seconds that an answer may take in all.")
    concurrency: int = Field(64, ge=1, le=10_000, description="Calls at once of one process.")


class OpenAISettings(Section):
    """Chat models behind the wire of OpenAI."""

    providers: list[ProviderSettings] = Field(
        default_factory=list,
        description='Providers, [{"name": "openai", "base_url": "https://api.openai.com/v1", "api_key": "sk-…"}]: more in '
        "docs/providers/openai.md; none: outside production the sandbox under the name openai.",
    )

    @field_validator("providers")
    @classmethod
    def _differ(cls, value: list[ProviderSettings]) -> list[ProviderSettings]:
        if len({provider.name for provider in value}) < len(value):
            raise ValueError("two providers have the same name")
        return value

    @property
    def chosen(self) -> list[ProviderSettings]:
        """The providers as set, or the sandbox."""
        return list(self.providers) or [ProviderSettings(name="openai")]
