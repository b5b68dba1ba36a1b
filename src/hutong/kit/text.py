"""What may stand in a string that a client sends."""

import unicodedata


def is_clean(text: str) -> bool:
    """Whether every database can store `text` as it is: no NUL, no lone surrogate."""
    if "\x00" in text:
        return False
    try:
        text.encode()  # in C: a message may have a million characters
    except UnicodeEncodeError:
        return False
    return True


def is_printable(text: str) -> bool:
    """Whether `text` is clean and holds no control or bidirectional override characters (names, ids, labels)."""
    return is_clean(text) and not any(
        unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char != "\u200d" for char in text
    )


def shorten(text: str, limit: int) -> str:
    """`text` cut to `limit` characters, the cut marked with an ellipsis."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"
