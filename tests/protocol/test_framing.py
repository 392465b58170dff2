"""Bytes become lines at `\\n` and nowhere else, and no line grows past its cap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcage.protocol.envelope import Line, LineReader, TooLong, Truncated


def lines(reader: LineReader, *pieces: bytes) -> list[Line | TooLong]:
    return [line for piece in pieces for line in reader.feed(piece)]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_one_piece_may_hold_many_lines() -> None:
    assert lines(LineReader(), b"one\ntwo\n\nfour\n") == [
        Line(b"one"),
        Line(b"two"),
        Line(b""),
        Line(b"four"),
    ]


def test_a_line_may_come_byte_by_byte() -> None:
    assert lines(LineReader(), *byte_by_byte(b"one\ntwo\n")) == [Line(b"one"), Line(b"two")]


def test_what_follows_the_last_newline_waits_for_its_own() -> None:
    reader = LineReader()
    assert lines(reader, b"one\ntw") == [Line(b"one")]
    assert lines(reader, b"o") == []
    assert lines(reader, b"\n") == [Line(b"two")]


@pytest.mark.parametrize("separator", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0"])
def test_only_a_newline_ends_a_line(separator: str) -> None:
    text = f"a{separator}b".encode()
    assert lines(LineReader(), text + b"\n") == [Line(text)]


def test_a_carriage_return_before_the_newline_is_content() -> None:
    assert lines(LineReader(), b"one\r\n") == [Line(b"one\r")]


def test_a_line_of_exactly_the_cap_passes_and_one_byte_more_does_not() -> None:
    assert lines(LineReader(4), b"1234\n12345\n1234\n") == [Line(b"1234"), TooLong(4), Line(b"1234")]


@pytest.mark.parametrize("size", [5, 8, 9, 1000])
def test_the_line_after_an_over_long_one_is_unharmed(size: int) -> None:
    data = b"x" * size + b"\nnext\n"
    expected = [TooLong(4), Line(b"next")]
    assert lines(LineReader(4), data) == expected
    assert lines(LineReader(4), *byte_by_byte(data)) == expected
    assert lines(LineReader(4), data[:3], data[3:]) == expected


def test_an_over_long_line_is_reported_once_however_many_pieces_it_has() -> None:
    assert lines(LineReader(4), *[b"xxx"] * 50, b"\n") == [TooLong(4)]


def test_a_cap_that_changes_holds_from_the_next_line_on() -> None:
    reader = LineReader(4)
    assert lines(reader, b"12345\n") == [TooLong(4)]
    reader.max_bytes = 5
    assert lines(reader, b"12345\n") == [Line(b"12345")]


def test_a_stream_that_ends_after_a_newline_is_whole() -> None:
    reader = LineReader()
    assert lines(reader, b"one\n") == [Line(b"one")]
    assert reader.finish() is None


def test_an_empty_stream_is_whole() -> None:
    assert LineReader().finish() is None


def test_a_stream_that_ends_inside_a_line_is_truncated_by_that_many_bytes() -> None:
    reader = LineReader()
    assert lines(reader, b"one\ntw", b"o") == [Line(b"one")]
    assert reader.finish() == Truncated(3)


def test_a_stream_that_ends_inside_an_over_long_line_is_truncated() -> None:
    reader = LineReader(4)
    assert lines(reader, b"12345", b"678") == []
    assert reader.finish() == Truncated(8)


@given(st.lists(st.binary(max_size=9)), st.data())
def test_how_the_bytes_were_cut_makes_no_difference(contents: list[bytes], data: st.DataObject) -> None:
    stream = b"\n".join(contents)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, cut = LineReader(6), LineReader(6)
    assert lines(cut, *pieces) == lines(whole, stream)
    assert cut.finish() == whole.finish()


@given(st.lists(st.binary(max_size=9).filter(lambda text: b"\n" not in text)))
def test_lines_are_what_was_between_the_newlines(contents: list[bytes]) -> None:
    stream = b"".join(text + b"\n" for text in contents)
    expected = [Line(text) if len(text) <= 6 else TooLong(6) for text in contents]
    assert lines(LineReader(6), stream) == expected
