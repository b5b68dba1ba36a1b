"""Yuan on the wire, integer fen inside; never a float. Source: Alipay OpenAPI, type `Price`."""

import re
from decimal import Decimal

_YUAN = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,2})?", re.ASCII)


class AmountMalformed(ValueError):
    """This is no amount in yuan with at most two decimals."""


def fen_of(yuan: str) -> int:
    """The fen in an amount as Alipay writes it ("12.30" is 1230).

    Signs, exponents, thousands' separators, blanks, further decimals and digits of other scripts are refused.

    Raises:
        AmountMalformed.
    """
    if _YUAN.fullmatch(yuan) is None:
        raise AmountMalformed(f"{yuan[:32]!r} is no amount in yuan")
    return int(Decimal(yuan).scaleb(2))


def yuan_of(fen: int) -> str:
    """An amount as Alipay reads it, with two decimals (1230 is "12.30").

    Raises:
        AmountMalformed: it is negative.
    """
    if fen < 0:
        raise AmountMalformed(f"{fen} fen is no amount")
    return f"{fen // 100}.{fen % 100:02d}"
