"""Every error that can reach a client has a code of the contract and a text in each language."""

import pytest

from hutong.apps.emoji import envelope
from hutong.host import wiring
from hutong.kit.errors import HutongError, error_classes

assert wiring.SPECS  # importing it imports every error class


@pytest.mark.parametrize("cls", list(error_classes()), ids=lambda cls: cls.__name__)
def test_every_error_maps_to_a_code_of_its_own_status(cls: type[HutongError]) -> None:
    number = envelope.number_of(cls.__new__(cls))

    assert number // 1000 == (cls.status if cls.status != 416 else 400)
    assert envelope.CHINESE[number]


def test_dotted_codes_are_unique() -> None:
    codes = [cls.__dict__["code"] for cls in error_classes() if "code" in cls.__dict__]

    assert sorted(codes) == sorted(set(codes))


def test_expired_tokens_say_what_the_seed_says() -> None:
    from hutong.kernel.identity import TokenExpired

    assert (envelope.number_of(TokenExpired()), TokenExpired().message) == (401001, "Token expired")
