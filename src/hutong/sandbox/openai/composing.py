"""What the sandbox says: short, topical, the same to the same question, in the language of whoever asks, signed."""

import re
from urllib.parse import urlsplit

import orjson

from hutong.kit.text import shorten
from hutong.sandbox.openai.arithmetic import worked_out
from hutong.sandbox.openai.asking import Asked, Message, Picture
from hutong.sandbox.openai.phrases import BODIES, CODE, OTHER_BODY, PHRASES
from hutong.sandbox.openai.shapes import Words, instance
from hutong.sandbox.openai.understanding import (
    identifier,
    is_greeting,
    language,
    titled,
    topic,
    wanted_length,
    wants_code,
    wants_title,
)

QUOTED = 400


def composed(asked: Asked, number: int) -> str:
    """The text of one choice.

    Args:
        asked: the request.
        number: of the choice, from 0; the later ones say so.
    """
    last = _last_words(asked)
    wanted = asked.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is not None:
        return _json(instance(wanted.json_schema.json_schema, Words(last.text)))
    lang = language(last.text)
    if wanted is not None and wanted.type == "json_object":
        return _json({"topic": topic(last.text), "answer": _answer(asked, last, lang)[0], "sandbox": True})
    if (of := _to_title(asked, last)) is not None:
        return titled(of) or PHRASES[lang]["untitled"]
    phrases = PHRASES[lang]
    parts = _answer(asked, last, lang)
    parts += [phrases["choice"].format(number=number + 1)] if number else []
    return "\n\n".join([*parts, phrases["signed"]])


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _last_words(asked: Asked) -> Message:
    """The last message of a user; the last of all if no user said anything."""
    return next((each for each in reversed(asked.messages) if each.role == "user"), asked.messages[-1])


def _to_title(asked: Asked, last: Message) -> str | None:
    """What a title is wanted for; None if none is wanted."""
    told = [each for each in asked.messages if each.role in {"system", "developer"} and wants_title(each.text)]
    if told and len(told[-1].text) < 2 * QUOTED:
        return last.text
    if not wants_title(last.text) or wants_code(last.text):
        return None
    mine = titled(last.text)
    earlier = next((each.text for each in asked.messages if each.role == "user" and each is not last), None)
    names_it = re.search(r"[:：\"“「]|\n", last.text) is not None
    return last.text if names_it or not earlier or not mine else earlier


def _answer(asked: Asked, last: Message, lang: str) -> list[str]:
    """The paragraphs of an answer."""
    phrases, parts = PHRASES[lang], []
    if pictures := last.pictures:
        names = ", ".join(_name(picture) for picture in pictures)
        parts.append(phrases["picture"].format(count=len(pictures), names=names))
    if asked.messages[-1].role == "tool":
        answers = [each.text for each in asked.messages[asked.messages.index(last) :] if each.role == "tool"]
        return [*parts, phrases["tool"], *(f"```json\n{shorten(text, QUOTED)}\n```" for text in answers)]
    if (found := worked_out(last.text)) is not None:
        return [*parts, phrases["sum"].format(sum=found[0].replace("*", "×"), result=found[1])]
    if (language_of_code := wants_code(last.text)) is not None:
        return [*parts, *_code(language_of_code, last.text, lang)]
    if is_greeting(last.text):
        return parts or [phrases["hello"].strip()]
    return [*parts, *_thoughts(asked, last, lang)]


def _code(wanted: str, text: str, lang: str) -> list[str]:
    name, source = CODE[wanted]
    about, phrases = topic(text), PHRASES[lang]
    body = next((body for words, body in BODIES.items() if re.search(words, text, re.IGNORECASE)), OTHER_BODY)
    block = f"```{wanted}\n{source.format(name=identifier(text), topic=about, body=body)}```"
    parts = [phrases["code"].format(language=name, topic=about), block, phrases["code_after"]]
    return parts + _more(phrases["more"], about, wanted_length(text), lang)


def _thoughts(asked: Asked, last: Message, lang: str) -> list[str]:
    phrases, about = PHRASES[lang], topic(last.text)
    parts = [phrases["about"].format(topic=about)]
    parts.append("\n".join(f"{step}. {phrases[f'step_{step}'].format(topic=about)}" for step in (1, 2, 3)))
    earlier = [each for each in asked.messages if each.role == "user" and each is not last]
    if earlier and (before := topic(earlier[-1].text)):
        parts.append(phrases["earlier"].format(topic=before))
    return parts + _more(phrases["more"], about, wanted_length(last.text), lang)


def _more(phrase: str, about: str, length: int, lang: str) -> list[str]:
    """Paragraphs up to a length in words, or in characters of Chinese."""
    parts: list[str] = []
    while length > 0:
        paragraph = phrase.format(number=len(parts) + 1, topic=about)
        length -= max(len(paragraph) if lang == "zh" else len(paragraph.split()), 1)
        parts.append(paragraph)
    return parts


def _name(picture: Picture) -> str:
    """A picture's file name, or kind and size where it came along."""
    if picture.url.startswith("data:"):
        kind, _, content = picture.url.removeprefix("data:").partition(",")
        return f"{kind.partition(';')[0] or 'data'} ({len(content) * 3 // 4:,} B)"
    return shorten(urlsplit(picture.url).path.rpartition("/")[2] or picture.url, 40)
