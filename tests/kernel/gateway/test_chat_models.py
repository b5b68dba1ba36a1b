"""`models.yaml`: the bundled one, and what is refused of others."""

import orjson
import pytest

from hutong.kernel.config.documents import Document, DocumentInvalid
from hutong.kernel.gateway.chat import Usage
from hutong.kernel.gateway.models import Facts, Models, models_document
from hutong.kernel.gateway.routing import Routing
from support.chat_stand import DOCUMENT

GOOD = {"models": {"m": {"routes": ["one:m"]}}, "facts": {"one:m": {"window": 1000}}}


def test_the_bundled_document_serves_whoever_has_the_first_provider() -> None:
    document = models_document()

    everyone = [card.name for card in Routing(document.value, {"openai"}).cards(vip=False)]
    vips = [card.name for card in Routing(document.value, {"openai"}).cards(vip=True)]

    assert "gpt-4o-mini" in everyone
    assert set(everyone) < set(vips)


@pytest.mark.parametrize(
    "changed",
    [
        {"facts": {}},
        {"models": {"m": {"routes": []}}},
        {"models": {"m": {"routes": ["m"]}}},
        {"models": {"m": {"routes": ["one:m"], "access": "nobody"}}},
        {"models": {"m m": {"routes": ["one:m"]}}},
        {"facts": {"one:m": {"window": 1000, "price_in": -1}}},
        {"facts": {"one:m": {"window": 1000, "price_in": 0.5}}},
        {"currency": "dollars"},
        {"unknown": 1},
    ],
    ids=lambda changed: orjson.dumps(changed).decode(),
)
def test_a_bad_document_is_refused_and_the_last_good_one_stays(changed: dict[str, object]) -> None:
    document = Document("models.yaml", Models, orjson.dumps(DOCUMENT))
    document.apply(orjson.dumps(GOOD))

    with pytest.raises(DocumentInvalid):
        document.apply(orjson.dumps({**GOOD, **changed}))

    assert list(document.value.models) == ["m"]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(0, 0), 0),
        (Usage(1, 0), 1),
        (Usage(1_000_000, 0), 150_000),
        (Usage(1_000_000, 10, cached=1_000_000), 75_006),
    ],
)
def test_cost_is_whole_and_rounded_up(usage: Usage, cost: int) -> None:
    facts = Facts(window=1000, price_in=150_000, price_cached=75_000, price_out=600_000)

    assert facts.cost(usage) == cost


def test_what_was_read_before_costs_the_same_where_no_price_is_given() -> None:
    assert Facts(window=1000, price_in=150_000).cost(Usage(1_000_000, 0, cached=1_000_000)) == 150_000
