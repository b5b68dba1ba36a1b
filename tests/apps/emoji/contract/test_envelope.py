"""Every error that can reach a client has a code of the contract and a text in each language."""

import pytest
from fastapi import FastAPI

from hutong.apps.emoji import envelope
from hutong.host import wiring
from hutong.kernel.http.answers import install
from hutong.kit.errors import HutongError, error_classes
from support.http import http_client, serving

assert wiring.SPECS  # importing it imports every error class


@pytest.mark.parametrize("cls", list(error_classes()), ids=lambda cls: cls.__name__)
def test_every_error_maps_to_a_code_of_its_own_status(cls: type[HutongError]) -> None:
    number = envelope.number_of(cls.__new__(cls))

    assert number // 1000 == (400 if cls.status in {415, 416} else cls.status)
    assert envelope.CHINESE[number]


def test_dotted_codes_are_unique() -> None:
    codes = [cls.__dict__["code"] for cls in error_classes() if "code" in cls.__dict__]

    assert sorted(codes) == sorted(set(codes))


def test_expired_tokens_say_what_the_seed_says() -> None:
    from hutong.kernel.identity import TokenExpired

    assert (envelope.number_of(TokenExpired()), TokenExpired().message) == (401001, "Token expired")


async def test_a_defect_is_answered_in_the_contracts_form() -> None:
    """Nothing of what went wrong is told, and the server behind the app still hears of it."""
    app = FastAPI()
    install(app, envelope.render)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of ours")

    async with serving(app) as base, http_client() as client, client.get(f"{base}/broken") as answer:
        body = await answer.json()

    assert answer.status == 500
    assert body == {"code": 500000, "message": "Something went wrong on our side.", "data": None}
