"""GET /models: what the caller may use, what it can do and what it costs."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from hutong.apps.chat.contract.responses import SIGNED_IN, failures
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.kernel.gateway.routing import ModelCard
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix=f"{API}/models", tags=["models"], route_class=StrictRoute)


class PriceView(BaseModel):
    """Micro-units of a currency for a million tokens: 150000 is 0.15."""

    currency: str
    input: int
    output: int
    cached_input: int = Field(description="Of tokens that the provider had read before.")


class ModelView(BaseModel):
    """A model."""

    id: str = Field(description="The name to ask for.")
    vip: bool = Field(description="Whether it is for VIP users only.")
    context_window: int = Field(description="Tokens that it reads and writes together.")
    max_output_tokens: int
    vision: bool = Field(description="Whether it sees pictures.")
    tools: bool = Field(description="Whether it calls tools.")
    reasoning: bool = Field(description="Whether it thinks before it answers, which is billed as output.")
    price: PriceView


class ModelList(BaseModel):
    """The models that the caller may use, the best default first."""

    items: list[ModelView]


@router.get("", response_model=ModelList, responses=failures(*SIGNED_IN), summary="Models that the caller may use")
async def list_usable_models(app: App, caller: Caller) -> Response:
    """In the operator's order. What a model can do is what all providers can do that may answer for it."""
    cards = app.kernel.gateway.chats.models(vip=caller.is_vip)
    return ok(ModelList(items=[_view(card) for card in cards]))


def _view(card: ModelCard) -> ModelView:
    facts = card.facts
    cached = facts.price_in if facts.price_cached is None else facts.price_cached
    return ModelView(
        id=card.name,
        vip=card.vip,
        context_window=facts.window,
        max_output_tokens=facts.output,
        vision=facts.vision,
        tools=facts.tools,
        reasoning=facts.reasoning,
        price=PriceView(currency=card.currency, input=facts.price_in, output=facts.price_out, cached_input=cached),
    )
