"""The XML of the older API: one root, one level of elements, nothing else. Read strictly, before any signature is looked at.

No DTD, so no entities (the XXE of July 2018 and its bombs); no element twice, no nesting, no attributes, no comments, so that
no two parsers can read different sums. Source: reference/album.md §3.4.
"""

import re
from collections.abc import Mapping
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

from hutong.providers.wechat.pay.schemas import Malformed

LARGEST = 64 * 1024
MOST_ELEMENTS = 512
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def parse(body: bytes, root: str = "xml") -> dict[str, str]:
    """The elements by their name, whitespace kept.

    Raises:
        Malformed: it is anything but a flat document below `root`, in UTF-8, of at most 64 KB.
    """
    if len(body) > LARGEST:
        raise Malformed("larger than 64 KB")
    try:
        body.decode()  # a byte-order mark would let expat read UTF-16, whatever it was told
    except UnicodeDecodeError:
        raise Malformed("another encoding") from None
    reader = _Reader(root)
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse_dtd
    parser.ProcessingInstructionHandler = parser.CommentHandler = reader.refuse_aside
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Malformed(f"no XML: {expat.ErrorString(error.code)}") from None
    return reader.found


def render(fields: Mapping[str, str], root: str = "xml") -> bytes:
    """A flat document."""
    inside = "".join(f"<{name}>{escape(_printable(value))}</{name}>" for name, value in fields.items())
    return f"<{root}>{inside}</{root}>".encode()


class _Reader:
    """Takes expat's events; refuses what has no place in a message."""

    def __init__(self, root: str) -> None:
        self.found: dict[str, str] = {}
        self._root = root
        self._open: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        depth = len(self._open)
        if attributes or depth > 1 or (depth == 0 and name != self._root):
            raise Malformed("attributes, nesting or another root")
        if depth == 1:
            if name in self.found or not _NAME.fullmatch(name) or len(self.found) >= MOST_ELEMENTS:
                raise Malformed("an element stands there twice, or is named strangely")
            self.found[name] = ""
        self._open.append(name)

    def end(self, name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        if len(self._open) == 2:
            self.found[self._open[1]] += text
        elif text.strip():
            raise Malformed("text between the elements")

    def refuse_dtd(self, *_: object) -> NoReturn:
        raise Malformed("a document type")

    def refuse_aside(self, *_: object) -> NoReturn:
        raise Malformed("a comment or a processing instruction")


def _printable(value: str) -> str:
    return "".join(char if char >= " " or char in "\t\n\r" else "\ufffd" for char in value)
