"""docs/reference/errors.md: every expected failure with its code, status and what each app makes of it."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages

import hutong
from hutong.apps.emoji import envelope as emoji
from hutong.apps.storefront.codes import CODES
from hutong.apps.storefront.envelope import code_of
from hutong.host.reference import markdown as md
from hutong.kit.errors import HutongError, error_classes

APART = ("hutong.__main__", "hutong.host.reference.__main__", "hutong.providers.dashscope.vision.")
"""Programs, and modules whose libraries only the vision process loads; no error of the tree lies there."""
INTRODUCTION = """
Expected failures are typed and have a stable dotted code, which appears in logs and in answers outside any app.
An app turns them into the bodies of its own contract; a class without a row of its own takes its parent's.
Some messages carry details in place of the text below.
"""


def list_errors() -> list[type[HutongError]]:
    """Every class of the tree in Hutong's own code, by code."""
    for module in walk_packages(hutong.__path__, "hutong."):
        if not module.name.startswith(APART):
            import_module(module.name)
    own = [cls for cls in error_classes() if cls.__module__.startswith("hutong.")]
    return sorted(own, key=lambda cls: (cls.code, cls.__name__))


def render_errors() -> str:
    """The page."""
    errors = list_errors()
    rows = (
        (
            md.code(cls.code),
            str(cls.status),
            str(emoji.number_of(cls.__new__(cls))),
            str(code_of(cls).number),
            _message(cls),
            md.code(cls.__name__),
        )
        for cls in errors
    )
    head = ("code", "status", "emoji", "storefront", "message", "class")
    return md.page(
        "Errors",
        INTRODUCTION,
        md.table(head, rows),
        "## The emoji app's codes",
        EMOJI,
        _emoji_codes(errors),
        "## The storefront app's codes",
        STOREFRONT,
        _storefront_codes(errors),
    )


EMOJI = """
A body has `code` = status × 1000 + a number, `message` in the caller's language, and `data` with details or null.
The Chinese message belongs to the code, the English one to the error.
"""
STOREFRONT = """
A body has `code`, `data` with details or null, and `msg` in the caller's language; success is 10000.
The messages belong to the codes; places in braces are filled where they are known.
"""


def _emoji_codes(errors: list[type[HutongError]]) -> str:
    causes = _causes(errors, lambda cls: emoji.number_of(cls.__new__(cls)))
    rows = ((str(number), str(number // 1000), causes[number], text) for number, text in sorted(emoji.CHINESE.items()))
    return md.table(("code", "status", "from", "message in Chinese"), rows)


def _storefront_codes(errors: list[type[HutongError]]) -> str:
    causes = _causes(errors, lambda cls: code_of(cls).number)
    rows = (
        (
            str(code.number),
            md.code(code.name),
            str(code.status),
            causes[code.number],
            *((text.detail or text.title).replace("<", "&lt;") for text in code.texts.values()),
        )
        for code in sorted(CODES, key=lambda code: code.number)
    )
    return md.table(("code", "name", "status", "from", "message", "message in Chinese"), rows)


def _causes(errors: list[type[HutongError]], number: Callable[[type[HutongError]], int]) -> dict[int, str]:
    """The dotted codes behind each number."""
    found: dict[int, set[str]] = {}
    for cls in errors:
        found.setdefault(number(cls), set()).add(cls.code)
    return {key: ", ".join(md.code(code) for code in sorted(codes)) for key, codes in found.items()}


def _message(cls: type[HutongError]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0].replace("<", "&lt;")
