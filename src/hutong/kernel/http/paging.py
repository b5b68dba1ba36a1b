"""Pages and numbers in a query, for endpoints that list something."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from hutong.kit.paging import MAX_PAGE_SIZE, PageRequest


def _digits(value: object) -> object:
    """Only digits make a number: no sign, no spaces, no point, no underscores."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("digits", "a number is written with digits")
    return value


DIGITS = BeforeValidator(_digits)
"""Annotates a number in a query."""
_PAGE = Query(ge=1, le=1_000_000, description="Page number, from 1.")
_PAGE_SIZE = Query(ge=1, le=MAX_PAGE_SIZE, description="Items on a page.")


async def _page(
    page: Annotated[int, _PAGE, DIGITS] = 1, page_size: Annotated[int, _PAGE_SIZE, DIGITS] = 20
) -> PageRequest:
    return PageRequest(page, page_size)


Paging = Annotated[PageRequest, Depends(_page)]
