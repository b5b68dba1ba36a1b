"""How replies end, what a model is given to read, and how conversations are called."""

import pytest

from hutong.apps.chat.replies.rules import Cause, Turn, choose, room_of, title_of, verdict
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.kernel.gateway.errors import ContextTooLong
from hutong.kernel.gateway.models import Facts

ASKED, SAID, TOLD = MessageRole.USER, MessageRole.ASSISTANT, MessageRole.SYSTEM


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("cause", "begun", "status", "charged"),
    [
        (Cause.WHOLE, True, MessageStatus.COMPLETE, True),
        (Cause.STOPPED, True, MessageStatus.STOPPED, True),
        (Cause.STOPPED, False, MessageStatus.STOPPED, True),
        (Cause.BROKEN, True, MessageStatus.INTERRUPTED, True),
        (Cause.BROKEN, False, MessageStatus.FAILED, False),
        (Cause.LEAVING, True, MessageStatus.INTERRUPTED, True),
        (Cause.LEAVING, False, MessageStatus.INTERRUPTED, False),
        (Cause.LOST, True, MessageStatus.INTERRUPTED, True),
        (Cause.LOST, False, MessageStatus.INTERRUPTED, False),
    ],
)
def test_every_ending_has_its_state_and_its_price(
    cause: Cause, begun: bool, status: MessageStatus, charged: bool
) -> None:
    assert verdict(cause, begun=begun) == (status, charged)


def test_what_fits_is_read_whole_without_counting() -> None:
    turns = [Turn(ASKED, "a"), Turn(SAID, "b"), Turn(ASKED, "c")]

    def refuse(text: str) -> int:
        raise AssertionError(text)

    context = choose("Be kind.", turns, 1000, 100, refuse)

    assert [turn["content"] for turn in context.messages] == ["Be kind.", "a", "b", "c"]
    assert context.reserved == context.tokens + 100


def test_a_prompt_of_the_conversation_stands_in_place_of_the_installations() -> None:
    context = choose("Be kind.", [Turn(TOLD, "Be rude."), Turn(ASKED, "a")], 1000, 100, words)

    assert [turn["content"] for turn in context.messages] == ["Be rude.", "a"]


def test_the_oldest_go_first_and_what_is_left_begins_with_the_user() -> None:
    turns = [Turn(role, " ".join([name] * 20)) for role, name in ((ASKED, "a"), (SAID, "b"), (ASKED, "c"), (SAID, "d"))]

    context = choose("Be kind.", [*turns, Turn(ASKED, "e")], 110, 20, words)

    assert [turn["content"].split()[0] for turn in context.messages] == ["Be", "c", "d", "e"]
    assert context.tokens + context.room <= 110


def test_a_message_that_fits_no_window_is_refused() -> None:
    with pytest.raises(ContextTooLong):
        choose("", [Turn(ASKED, "word " * 500)], 256, 100, words)


def test_an_answer_has_room_as_asked_within_what_the_model_can() -> None:
    facts = Facts(window=8192, output=1000)

    assert room_of(facts, None, 4096) == 1000
    assert room_of(facts, 10, 4096) == 10
    assert room_of(Facts(window=1000, output=4096), None, 4096) == 500


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Hello there", "Hello there"),
        ("\n\n  ## The   plan\nand more", "The plan"),
        ("你好,请问胡同在哪里?", "你好,请问胡同在哪里?"),
        ("x" * 80, "x" * 59 + "…"),
        (" \n ", ""),
    ],
)
def test_a_conversation_is_called_by_its_first_line(content: str, title: str) -> None:
    assert title_of(content) == title
