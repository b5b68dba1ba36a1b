"""What is decided about replies: how one ends and what it costs, what the model is given to read, how a conversation is called.

Pure. Source: contracts/chat.md "Rules"; reference/chat.md §6.2 (who is charged what when a stream breaks off).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.kernel.gateway.errors import ContextTooLong
from hutong.kernel.gateway.models import Facts
from hutong.kernel.gateway.tokens import PER_MESSAGE, PER_REPLY
from hutong.kit.text import shorten

BYTES_PER_TOKEN = 3
"""Of a prompt: English has four or more, code and Chinese about three, so that an estimate is rather too high."""
TITLE_LENGTH = 60
LEAST_ROOM = 16
"""Tokens: an answer that may only be shorter is not worth asking for."""


class Cause(StrEnum):
    """Why generating ended."""

    WHOLE = "whole"
    STOPPED = "stopped"
    BROKEN = "broken"
    LEAVING = "leaving"
    LOST = "lost"


class Verdict(NamedTuple):
    """What becomes of a reply.

    Args:
        status: its last one.
        charged: whether what was generated is charged; if not, request and tokens go back.
    """

    status: MessageStatus
    charged: bool


def verdict(cause: Cause, *, begun: bool) -> Verdict:
    """How a reply ends.

    A stop before the first token keeps the request charged, with no tokens: it was the user's wish, and giving it back
    would let anybody start and stop for nothing. What we or the provider broke before the first token costs nothing.

    Args:
        cause: why generating ended.
        begun: whether the first token had come.
    """
    if cause is Cause.WHOLE:
        return Verdict(MessageStatus.COMPLETE, charged=True)
    if cause is Cause.STOPPED:
        return Verdict(MessageStatus.STOPPED, charged=True)
    if begun:
        return Verdict(MessageStatus.INTERRUPTED, charged=True)
    failed = MessageStatus.FAILED if cause is Cause.BROKEN else MessageStatus.INTERRUPTED
    return Verdict(failed, charged=False)


class Turn(NamedTuple):
    """Somebody's words."""

    role: MessageRole
    content: str


def turns_of(branch: Iterable[Message]) -> list[Turn]:
    """What is said in a branch; replies without a word are left out."""
    found = (Turn(message.role, message.content) for message in branch)
    return [turn for turn in found if turn.content or turn.role is not MessageRole.ASSISTANT]


@dataclass(frozen=True, slots=True)
class Context:
    """What the model is given.

    Args:
        messages: as Chat Completions takes them.
        tokens: of them, rather too many than too few.
        room: tokens that the answer may have.
    """

    messages: Sequence[Mapping[str, str]]
    tokens: int
    room: int

    @property
    def reserved(self) -> int:
        """Tokens to set aside of the user's quota."""
        return self.tokens + self.room


def room_of(facts: Facts, asked: int | None, usual: int) -> int:
    """Tokens that an answer may have: as asked or as usual, within what the model writes, and at most half of its window."""
    return max(1, min(asked or usual, facts.output, facts.window // 2))


def choose(system: str, turns: Sequence[Turn], window: int, room: int, count: Callable[[str], int]) -> Context:
    """The system prompt and the newest messages that fit a model's window beside the answer's room.

    As long as every byte could be a token and all would fit still, nothing is counted: that is true of nearly all
    conversations, and counting costs more than everything else here.

    Args:
        system: the prompt of the installation, for conversations that do not begin with one of their own; empty for none.
        turns: oldest first; the last one is what is to be answered.
        window, room: tokens.
        count: tokens of a text, exactly.

    Raises:
        ContextTooLong: not even the last message fits.
    """
    prompt, said = _parted(system, turns)
    budget = window - room - PER_REPLY
    everything = [_turn(turn) for turn in (*prompt, *_from_user(said))]
    if _bytes(everything) + PER_MESSAGE * len(everything) <= budget:
        return Context(everything, estimate(everything), room)
    left = budget - sum(count(turn.content) + PER_MESSAGE for turn in prompt)
    kept: list[Turn] = []
    for turn in reversed(said):
        left -= count(turn.content) + PER_MESSAGE
        if left < 0:
            break
        kept.insert(0, turn)
    if not kept:
        raise ContextTooLong(vendor_code="context_length_exceeded")
    chosen = [_turn(turn) for turn in (*prompt, *_from_user(kept))]
    return Context(chosen, min(estimate(chosen), budget + PER_REPLY), room)


def _parted(system: str, turns: Sequence[Turn]) -> tuple[Sequence[Turn], Sequence[Turn]]:
    """What stands before everything, and what was said after it."""
    own = next((at for at, turn in enumerate(turns) if turn.role is not MessageRole.SYSTEM), len(turns))
    if own:
        return turns[:own], turns[own:]
    return [Turn(MessageRole.SYSTEM, system)] if system else [], turns


def needs_counting(system: str, turns: Sequence[Turn], window: int, room: int) -> bool:
    """Whether `choose` will count, which for long texts belongs into a thread."""
    size = len(system) * 4 + sum(len(turn.content) * 4 + PER_MESSAGE for turn in turns)
    return size > window - room - 2 * PER_REPLY


def estimate(messages: Iterable[Mapping[str, str]]) -> int:
    """Tokens of a prompt, rather too many: for reserving, before the provider counts."""
    listed = list(messages)
    return -(-_bytes(listed) // BYTES_PER_TOKEN) + (PER_MESSAGE + 1) * len(listed) + PER_REPLY


def body_of(context: Context, facts: Facts, wishes: Mapping[str, Any]) -> dict[str, Any]:
    """The request of Chat Completions.

    Args:
        context: what is read, and the room.
        facts: of the model: those that think take only the newer name of the bound.
        wishes: sampling parameters of the caller; those that are None are left out.
    """
    body: dict[str, Any] = {"messages": list(context.messages)}
    body |= {name: value for name, value in wishes.items() if value is not None}
    body["max_completion_tokens" if facts.reasoning else "max_tokens"] = context.room
    return body


def title_of(content: str) -> str:
    """What a conversation is called by its first message: the first line's words, as far as they go into a list."""
    line = next((line for line in content.splitlines() if line.strip()), "")
    words = " ".join(line.split()).lstrip("#>*- ")
    return shorten(words, TITLE_LENGTH)


def _from_user(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Without a reply at the beginning, whose question did not fit."""
    return turns[1:] if turns and turns[0].role is MessageRole.ASSISTANT else turns


def _turn(turn: Turn) -> dict[str, str]:
    return {"role": turn.role.value, "content": turn.content}


def _bytes(messages: Iterable[Mapping[str, str]]) -> int:
    return sum(len(text) if text.isascii() else len(text.encode()) for text in (each["content"] for each in messages))
