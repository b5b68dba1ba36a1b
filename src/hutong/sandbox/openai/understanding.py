"""What somebody wants to hear, as far as words tell: language, topic, and whether it is a title, a sum, code or a greeting."""

import re
from typing import Literal

from hutong.kit.text import shorten

Language = Literal["en", "zh"]

_CHINESE = re.compile(r"[㐀-鿿]")
_LETTER = re.compile(r"[A-Za-z]")
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|good (morning|evening)|你好|您好|嗨|在吗|who are you|你是谁)\b.{0,20}$", re.IGNORECASE
)
_TITLE = re.compile(r"\btitle\b|标题", re.IGNORECASE)
_TITLE_VERB = re.compile(
    r"\b(generate|create|write|give|suggest|summari[sz]e|name|reply|respond|return)\b|short|concise|生成|起|取|拟|总结|概括|给",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(code|function|script|program|snippet|class|regex|query)\b|代码|函数|程序|脚本|编程", re.IGNORECASE
)
_WRITE = re.compile(r"\b(write|show|give|make|implement|create|need|example)\b|写|给|实现|示例|例子", re.IGNORECASE)
_LANGUAGES = {
    "javascript": re.compile(r"\b(javascript|js|typescript|ts|node)\b", re.IGNORECASE),
    "sql": re.compile(r"\bsql\b|查询语句", re.IGNORECASE),
    "bash": re.compile(r"\b(bash|shell)\b", re.IGNORECASE),
    "go": re.compile(r"\b(golang|go (function|code|program))\b|用 ?go", re.IGNORECASE),
    "rust": re.compile(r"\brust\b", re.IGNORECASE),
}
_LENGTH = re.compile(r"(\d{2,5})\s*(?:words?\b|字)", re.IGNORECASE)
_ASKING = re.compile(
    r"^(please|can you|could you|would you|tell me|explain|describe|what (is|are)|how (do|does|can|should|to)|why (is|are|do|does)|"
    r"write|give me|show me|i want to know|let's talk|talk|about|what about|and|(do |can |should |could )?(i|we|you|one))\b[\s,:]*|"
    r"^(请问|请|帮我|告诉我|解释一下|介绍一下|介绍|解释|什么是|说说|谈谈|聊聊|写一下|为什么|怎么|如何)[，,：:\s]*",
    re.IGNORECASE,
)
LONGEST_TOPIC = 60
MOST_WORDS = 5000


def language(text: str) -> Language:
    """The language that somebody writes in, or asks for."""
    if re.search(r"\bin english\b|用英[文语]", text, re.IGNORECASE):
        return "en"
    if re.search(r"\bin chinese\b|用中文", text, re.IGNORECASE):
        return "zh"
    return "zh" if len(_CHINESE.findall(text)) * 3 > len(_LETTER.findall(text)) else "en"


def topic(text: str, longest: int = LONGEST_TOPIC) -> str:
    """What a question is about: its first line without the words of asking, shortened."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    before = None
    while before != line:
        before, line = line, _ASKING.sub("", line)
    line = re.sub(
        r"[\s,，]*(\bin )?(at least |about )?\d{2,5} ?(words?\b|字)(左右|以内)?", "", line, flags=re.IGNORECASE
    )
    bare = re.sub(r"[`*_#<>|\[\]{}]", "", line).strip(" \t.,:;!?。，：；！？…\"'“”")
    return shorten(re.split(r"(?<=\w)[,;，；]\s*", bare, maxsplit=1)[0] or bare, longest)


def wants_title(text: str) -> bool:
    """Whether an instruction asks for a title for something, and not for a text about titles."""
    return bool(_TITLE.search(text) and _TITLE_VERB.search(text))


def wants_code(text: str) -> str | None:
    """The programming language that code is wanted in; None if none is wanted."""
    if not (_CODE.search(text) and _WRITE.search(text)):
        return None
    return next((name for name, pattern in _LANGUAGES.items() if pattern.search(text)), "python")


def is_greeting(text: str) -> bool:
    return not text.strip() or _GREETING.match(text.strip()) is not None


def wanted_length(text: str) -> int:
    """Words (or characters) that an answer should have; 0 if none were named."""
    found = _LENGTH.search(text)
    return min(int(found.group(1)), MOST_WORDS) if found else 0


def titled(text: str) -> str:
    """A short title: six words, or fifteen characters of Chinese. What stands quoted, or behind a colon, is titled first."""
    quoted = re.search(r"[\"“「『]([^\"”」』]{4,})[\"”」』]", text)
    if quoted is not None:
        text = quoted.group(1)
    elif wants_title(text) and (behind := re.split(r"[:：]\s*|\n\s*\n", text, maxsplit=1)[1:]):
        text = re.sub(r"^(user|human|用户)\s*[:：]\s*", "", behind[0].strip(), flags=re.IGNORECASE)
    about = topic(text)
    if _CHINESE.search(about):
        return shorten(about, 15)
    words = re.findall(r"[\w'+#.-]+", about)[:6]
    return " ".join(word if word.isupper() else word[:1].upper() + word[1:] for word in words)


def identifier(text: str) -> str:
    """A name for a function about this; snake_case."""
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word not in _COMMON][:3]
    return "_".join(words) or "example"


_COMMON = frozenset(
    """
    a an the that which to of for in and or python function code script program write sql javascript js typescript
    bash shell go golang rust some me please snippet class query regex
    """.split()  # noqa: SIM905 - words, and not code
)
