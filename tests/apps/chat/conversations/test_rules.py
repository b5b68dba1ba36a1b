"""Cursors, titles, usernames, ids: what is taken, and what is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.apps.chat.account.rules import normalise_username, username_key
from hutong.apps.chat.conversations.rules import cursor_of, normalise_title, place_of, words_of
from hutong.apps.chat.rows.errors import CursorInvalid, TitleInvalid, UsernameInvalid
from hutong.apps.chat.rows.ids import new_uuid, parse_uuid

NOW = datetime(2026, 11, 24, 12, 0, 0, 123_457, UTC)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001 - the zone comes below
def test_a_cursor_names_the_microsecond(moment: datetime) -> None:
    place = (moment.replace(tzinfo=UTC), new_uuid(NOW))
    assert place_of(cursor_of(*place)) == place


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda some: some.hex()))
def test_what_is_no_cursor_is_refused_and_never_breaks(text: str) -> None:
    with pytest.raises(CursorInvalid):
        place_of(text)


def test_ids_are_in_order_of_time_and_spelled_one_way() -> None:
    ids = [new_uuid(NOW + timedelta(milliseconds=number)) for number in range(50)]
    assert ids == sorted(ids) and len({*ids}) == 50
    assert all(parse_uuid(one) == one and one[14] == "7" and one[19] in "89ab" for one in ids)
    assert [parse_uuid(text) for text in (ids[0].upper(), ids[0].replace("-", ""), "", "1", f"{{{ids[0]}}}")] == [
        None
    ] * 5


@pytest.mark.parametrize("name", ["lin", "Lin.林-1", "李小龙", "a_b", "x" * 50])
def test_a_name_of_letters_of_any_script_is_taken(name: str) -> None:
    assert normalise_username(f" {name} ") == name


@pytest.mark.parametrize(
    "name", ["ab", "x" * 51, "a@b.example", "-abc", "_abc", "a b c", "a<b>c", "a\u202eb\u200dc", "", "ﬃ" * 20]
)
def test_any_other_name_is_not(name: str) -> None:
    with pytest.raises(UsernameInvalid):
        normalise_username(name)


def test_names_that_look_the_same_are_the_same() -> None:
    assert username_key("Ｌｉｎ") == username_key("LIN") == username_key("lin")


def test_a_title_is_one_printable_line() -> None:
    assert normalise_title("  two\n words\t") == "two words"
    for text in ("x" * 201, "a\u202eb", "a\x07b"):
        with pytest.raises(TitleInvalid):
            normalise_title(text)


def test_a_search_has_each_word_once() -> None:
    assert words_of("  a b a ") == ("a", "b")
    assert len(words_of(" ".join(map(str, range(50))))) == 8
