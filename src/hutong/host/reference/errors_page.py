"""docs/reference/errors.md: every expected failure with its code, status and what the emoji app makes of it."""

from importlib import import_module
from itertools import groupby
from pkgutil import walk_packages

import hutong
from hutong.apps.emoji import envelope
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
            str(_number(cls)),
            _message(cls),
            envelope.CHINESE[_number(cls)],
            md.code(cls.__name__),
        )
        for cls in errors
    )
    head = ("code", "status", "emoji", "message", "message of the emoji app in Chinese", "class")
    return md.page(
        "Errors", INTRODUCTION, md.table(head, rows), "## The emoji app's codes", EMOJI, _emoji_codes(errors)
    )


EMOJI = """
A body has `code` = status × 1000 + a number, `message` in the caller's language, and `data` with details or null.
The Chinese message belongs to the code, the English one to the error.
"""


def _emoji_codes(errors: list[type[HutongError]]) -> str:
    by_number = sorted(errors, key=_number)
    causes = {
        number: ", ".join(md.code(code) for code in sorted({cls.code for cls in classes}))
        for number, classes in groupby(by_number, _number)
    }
    rows = (
        (str(number), str(number // 1000), causes[number], text) for number, text in sorted(envelope.CHINESE.items())
    )
    return md.table(("code", "status", "from", "message in Chinese"), rows)


def _number(cls: type[HutongError]) -> int:
    return envelope.number_of(cls.__new__(cls))


def _message(cls: type[HutongError]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0].replace("<", "&lt;")
