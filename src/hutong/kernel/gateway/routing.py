"""From the name of a model to who answers for it, in the order in which they are asked. Pure decisions over `models.yaml`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hutong.kernel.gateway.errors import CallRefused, ModelForbidden, ModelUnknown
from hutong.kernel.gateway.models import Entry, Facts, Models

PICTURES = frozenset({"image_url", "input_image"})


@dataclass(frozen=True, slots=True)
class Route:
    """One provider's model that may answer. `name` is `provider:model`."""

    name: str
    provider: str
    model: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a user may know of a model: what all its routes keep, so that a fallback breaks no promise.

    Args:
        name: as callers use it.
        vip: whether it is for VIP users only.
        facts: the least of all routes' abilities, and the first one's prices.
        currency: of the prices.
    """

    name: str
    vip: bool
    facts: Facts
    currency: str


class Routing:
    """The models of a document at the providers that this installation has.

    Args:
        models: the document's present value.
        providers: names of those that are set up; routes to others are passed over.
    """

    def __init__(self, models: Models, providers: Collection[str]) -> None:
        self._models = models
        self._routes = {name: _routes(entry, models, providers) for name, entry in models.models.items()}

    def cards(self, *, vip: bool) -> list[ModelCard]:
        """The models that a user may use."""
        found = []
        for name, entry in self._models.models.items():
            routes = self._routes[name]
            if routes and (vip or entry.access == "everyone"):
                found.append(ModelCard(name, entry.access == "vip", _least(routes), self._models.currency))
        return found

    def card(self, name: str, *, vip: bool) -> ModelCard:
        """One model.

        Raises:
            ModelUnknown, ModelForbidden.
        """
        entry, routes = self._entry(name, vip=vip)
        return ModelCard(name, entry.access == "vip", _least(routes), self._models.currency)

    def routes(self, name: str, body: Mapping[str, Any], *, vip: bool) -> list[Route]:
        """Who may answer a request, in order; at least one.

        Raises:
            ModelUnknown, ModelForbidden.
            CallRefused: it holds pictures or tools, and none of the model's routes can do with them.
        """
        _, routes = self._entry(name, vip=vip)
        if has_pictures(body) and not (routes := [route for route in routes if route.facts.vision]):
            raise CallRefused("This model sees no pictures; choose another one.", vendor_code="no_vision")
        if body.get("tools") and not (routes := [route for route in routes if route.facts.tools]):
            raise CallRefused("This model calls no tools; choose another one.", vendor_code="no_tools")
        return routes

    def _entry(self, name: str, *, vip: bool) -> tuple[Entry, list[Route]]:
        entry = self._models.models.get(name)
        routes = self._routes.get(name)
        if entry is None or not routes:
            raise ModelUnknown
        if entry.access == "vip" and not vip:
            raise ModelForbidden
        return entry, routes


def _routes(entry: Entry, models: Models, providers: Collection[str]) -> list[Route]:
    parted = [(name, *name.split(":", 1)) for name in entry.routes]
    return [
        Route(name, provider, model, models.facts[name]) for name, provider, model in parted if provider in providers
    ]


def _least(routes: list[Route]) -> Facts:
    facts = [route.facts for route in routes]
    return facts[0].model_copy(
        update={
            "window": min(each.window for each in facts),
            "output": min(each.output for each in facts),
            "vision": all(each.vision for each in facts),
            "tools": all(each.tools for each in facts),
        }
    )


def has_pictures(body: Mapping[str, Any]) -> bool:
    """Whether any message holds a picture."""
    for message in body.get("messages") or ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list) and any(
            isinstance(part, Mapping) and part.get("type") in PICTURES for part in content
        ):
            return True
    return False
