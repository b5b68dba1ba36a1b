"""The reader of server-sent events, whatever the cuts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutong.providers.openai.events import EventReader, EventTooLarge

STREAM = (
    b"\xef\xbb\xbf: a comment\n\n"
    b'data: {"a":1}\n\n'
    b"event: chunk\r\nid: 7\r\ndata:no space\r\n\r\n"
    b"data: two\rdata: lines\r\r"
    b"data\n\n"
    b"data: \xe8\x83\xa1\xe5\x90\x8c\n\n"
    b"retry: 5\n\n\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a":1}', b"no space", b"two\nlines", b"", "胡同".encode(), b"[DONE]"]


def _read(parts: list[bytes]) -> list[bytes]:
    reader = EventReader()
    return [event for part in parts for event in reader.feed(part)] + reader.end()


def test_a_stream_in_one_piece_and_byte_by_byte() -> None:
    assert _read([STREAM]) == EVENTS
    assert _read([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_cuts_and_ends_of_lines_make_no_difference(cuts: list[int], ending: bytes) -> None:
    stream = STREAM.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", ending)
    at = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})

    assert _read([stream[start:end] for start, end in pairwise(at)]) == EVENTS


def test_a_forgotten_blank_line_at_the_end_is_forgiven() -> None:
    assert _read([b"data: a\n\ndata: [DONE]"]) == [b"a", b"[DONE]"]
    assert _read([b"data: a\n\ndata: b\n"]) == [b"a", b"b"]
    assert _read([b"data: a\n\n"]) == [b"a"]
    assert _read([b"data: a"]) == [b"a"]


@pytest.mark.parametrize("part", [b"x" * 60, b"data: y\n" * 20, b"data: y\r"])
def test_events_without_end_are_refused(part: bytes) -> None:
    reader = EventReader(largest=100)

    with pytest.raises(EventTooLarge):
        _feed(reader, part)


def _feed(reader: EventReader, part: bytes) -> None:
    for _ in range(200):
        reader.feed(part)
