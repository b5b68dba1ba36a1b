"""Sums in a question: found, and worked out exactly. Anything that would take long is left alone."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

LONGEST = 80
LARGEST_POWER = 64
MOST_BITS = 4096
_SUM = re.compile(r"[(\d][\d\s.,()+\-*/×÷^%]*[+\-*/×÷^%][\d\s.,()+\-*/×÷^%]*[\d)]")
_NO_SUM = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}|\d{3,}(-\d{3,})+")  # dates, telephone numbers
_SPELLED = str.maketrans({"×": "*", "÷": "/", "^": "**", ",": ""})
_WORDS = (
    (re.compile(r"(?<=\d)\s*(?:plus|加上|加)\s*(?=\d)"), "+"),
    (re.compile(r"(?<=\d)\s*(?:minus|减去|减)\s*(?=\d)"), "-"),
    (re.compile(r"(?<=\d)\s*(?:times|multiplied by|乘以|乘|[xX])\s*(?=\d)"), "*"),
    (re.compile(r"(?<=\d)\s*(?:divided by|除以)\s*(?=\d)"), "/"),
)
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


def worked_out(text: str) -> tuple[str, str] | None:
    """The first sum in a text and its result; None if there is none."""
    for pattern, sign in _WORDS:
        text = pattern.sub(f" {sign} ", text)
    for found in _SUM.finditer(_NO_SUM.sub(" ", text)):
        written = " ".join(found.group().split())
        if len(written) <= LONGEST and (value := _value(written)) is not None:
            return written, shown(value)
    return None


def _value(written: str) -> Fraction | None:
    try:
        return _evaluated(ast.parse(written.translate(_SPELLED), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None


def _evaluated(node: ast.expr) -> Fraction:
    """The value of a part.

    Raises:
        ValueError: it is no sum, or too large a one.
        ZeroDivisionError.
    """
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_evaluated(left), _evaluated(right))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _small(_OPERATORS[type(sign)](_evaluated(left), _evaluated(right)))
    raise ValueError("no sum")


def _power(of: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > LARGEST_POWER:
        raise ValueError("too large a power")
    return _small(Fraction(of**exponent.numerator))


def _small(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > MOST_BITS:
        raise ValueError("too large a number")
    return value


def shown(value: Fraction) -> str:
    """A number as people write it: whole, or with up to six decimals, `≈` if there would be more."""
    if value.denominator == 1:
        return str(value.numerator)
    rounded = round(value, 6)
    text = f"{rounded.numerator / rounded.denominator:.6f}".rstrip("0").rstrip(".")
    return text if rounded == value else f"≈ {text}"
