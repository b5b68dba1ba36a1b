"""Amounts, moments and values as they stand in a mail."""

import unicodedata
from datetime import UTC, datetime

from hutong.kit.text import shorten

WITHOUT_MINOR_UNIT = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
LONGEST_VALUE = 200


def amount_text(amount: int, currency: str) -> str:
    """An amount in minor units as text: 1230 of CNY is `CNY 12.30`. Source: ISO 4217 (exponents)."""
    digits = 0 if currency in WITHOUT_MINOR_UNIT else 3 if currency in THOUSANDTHS else 2
    whole, rest = divmod(abs(amount), 10**digits)
    fraction = f".{rest:0{digits}d}" if digits else ""
    return f"{currency} {'-' if amount < 0 else ''}{whole:,}{fraction}"


def moment_text(moment: datetime) -> str:
    """A moment to the minute, in UTC: `2026-11-02 10:04 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clean_value(value: str) -> str:
    """`value` as one line that every mail reader shows as it is: no control or direction characters, 200 at most."""
    visible = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in value)
    shown = "".join(char for char in visible if unicodedata.category(char) not in {"Cf", "Cs"} or char == "\u200d")
    return shorten(" ".join(shown.split()), LONGEST_VALUE)
