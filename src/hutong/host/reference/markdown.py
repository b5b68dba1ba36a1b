"""The little Markdown that the pages are made of."""

from collections.abc import Iterable, Sequence

GENERATED = "This page is generated from the code by `make docs`; do not edit it."


def page(title: str, *parts: str) -> str:
    """A whole page: where it comes from, then its parts with an empty line between them."""
    return "\n\n".join([f"# {title}", GENERATED, *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar or a line break inside a cell would end it, so neither gets through."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def code(text: object) -> str:
    """`text` as code; nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def first_sentence(docstring: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join((docstring or "").strip().partition("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + "." if stop else paragraph


def number(value: float) -> str:
    """A number without `.0`, so that it can be copied."""
    return f"{value:.12g}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
