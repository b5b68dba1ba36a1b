"""The live document `models.yaml`: which models there are, who may use them, who answers for them, what they can do and cost."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hutong.kernel.config import Document
from hutong.kernel.gateway.chat import Usage

NAME = "models.yaml"
MILLION = 1_000_000
Alias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")]
RouteName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}:[^\s:][^\s]{0,127}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Facts(_Strict):
    """What one model of one provider can do, and costs in micro-units for a million tokens.

    Args:
        window: tokens that it reads and writes together.
        output: tokens that it writes at most.
        vision: whether it sees pictures.
        tools: whether it calls tools.
        reasoning: whether it thinks before it answers, which is billed as output.
        price_in, price_out: of tokens read and written.
        price_cached: of tokens that it had read before; as `price_in` when left out.
    """

    window: int = Field(ge=256, le=100_000_000)
    output: int = Field(4096, ge=1, le=10_000_000)
    vision: bool = False
    tools: bool = False
    reasoning: bool = False
    price_in: int = Field(0, ge=0, le=10**12)
    price_out: int = Field(0, ge=0, le=10**12)
    price_cached: int | None = Field(None, ge=0, le=10**12)

    def cost(self, usage: Usage) -> int:
        """Micro-units, rounded up."""
        cached = self.price_in if self.price_cached is None else self.price_cached
        parts = (
            (usage.prompt - usage.cached) * self.price_in + usage.cached * cached + usage.completion * self.price_out
        )
        return -(-parts // MILLION)


class Entry(_Strict):
    """One model as callers know it."""

    routes: list[RouteName] = Field(min_length=1, max_length=16)
    access: Literal["everyone", "vip"] = "everyone"


class Models(_Strict):
    """The document."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    models: Mapping[Alias, Entry]
    facts: Mapping[RouteName, Facts]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, model in self.models.items():
            for route in model.routes:
                if route not in self.facts:
                    raise ValueError(f"model {name!r} has the route {route!r}, of which there are no facts")
        return self


def models_document() -> Document[Models]:
    """The document with its bundled default, made anew."""
    default = files(__package__).joinpath("documents", NAME).read_bytes()
    return Document(NAME, Models, default)
