"""Yuan and fen: exact, in both directions, and nothing else than Alipay's spelling."""

import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.providers.alipay.amounts import AmountMalformed, fen_of, yuan_of
from hutong.providers.alipay.client import LARGEST_FEN

FEN = st.integers(0, LARGEST_FEN)


@given(FEN)
def test_every_amount_comes_back_as_it_went(fen: int) -> None:
    """Also where a float would not: 0.29 × 100 is 28.999999999999996."""
    assert fen_of(yuan_of(fen)) == fen


@given(FEN)
def test_what_is_written_is_the_exact_amount_with_two_decimals(fen: int) -> None:
    written = yuan_of(fen)
    assert Decimal(written) * 100 == fen
    assert len(written.partition(".")[2]) == 2


@given(st.text(alphabet=string.digits + ".,+-eE_ \u0660\uff11naNif", max_size=12))
def test_a_text_is_refused_or_read_exactly(text: str) -> None:
    """Whatever is accepted has plain digits, at most two decimals, and the value that it has as a decimal."""
    try:
        fen = fen_of(text)
    except AmountMalformed:
        return
    assert set(text) <= set(string.digits + ".")
    assert Decimal(text) * 100 == fen


@pytest.mark.parametrize(("text", "fen"), [("0.01", 1), ("0.29", 29), ("12", 1200), ("12.3", 1230), ("0.00", 0)])
def test_what_alipay_writes_is_read(text: str, fen: int) -> None:
    assert fen_of(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1e2", "1E2", "1.234", "-1", "-0.01", "+1", "NaN", "nan", "Infinity", "inf", "1,000.00", "1_000"),
        *("01.00", ".5", "5.", "0x10", " 1", "1 ", "1\n", "1.0.0", "\u0661", "\uff11.00", "12345678901", "1.00元"),
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(AmountMalformed):
        fen_of(text)


def test_a_negative_amount_is_not_written() -> None:
    with pytest.raises(AmountMalformed):
        yuan_of(-1)
