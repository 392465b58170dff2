"""JSON as RFC 8259 has it, and no more of it than memory can bear."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given

from flowcage.protocol import strictjson
from flowcage.protocol.strictjson import MAX_DEPTH, MAX_INTEGER_DIGITS, MAX_VALUES, StructureError

from .strategies import json_values

REFUSED = {
    "NaN": b"NaN",
    "Infinity": b"[Infinity]",
    "-Infinity": b"-Infinity",
    "a double that overflows": b"1e999",
    "a negative double that overflows": b'{"a":-1e999}',
    "an integer of 5,000 digits": b"9" * 5000,
    "a negative integer of 5,000 digits": b"-" + b"9" * 5000,
    "an integer past every double": b"1" + b"0" * MAX_INTEGER_DIGITS,
    "an integer of as many digits as the largest double, but larger": b"9" + b"0" * (MAX_INTEGER_DIGITS - 1),
    "an integer of 400 digits, which Python would read": b"9" * 400,
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "a byte-order mark": b"\xef\xbb\xbf{}",
    "a byte that UTF-8 never has": b'"\xff"',
    "a character cut short": b'"\xe2\x82"',
    "an overlong encoding": b'"\xc0\x80"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "text after the value": b"{} {}",
    "a word after the value": b"1 x",
    "a NUL after the value": b"1\0",
    "nothing": b"",
    "blanks": b"  ",
    "an unfinished string": b'"abc',
    "an unfinished object": b'{"a":',
    "an unfinished array": b"[1,",
    "a comma too many": b"[1,]",
    "single quotes": b"{'a':1}",
    "a bare name": b"{a:1}",
    "a comment": b"1 // one",
    "a leading zero": b"01",
    "a leading plus": b"+1",
    "a bare fraction": b".5",
    "hexadecimal": b"0x10",
    "a raw tab in a string": b'"\t"',
    "a raw NUL in a string": b'"\0"',
    "an unknown escape": rb'"\x41"',
    "blanks that JSON does not know": b"\xc2\xa01",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_rfc_8259_does_not_allow_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        strictjson.loads(text)


ACCEPTED = {
    "blanks around the value": (b" \t\r\n[1]\r\n ", [1]),
    "NUL": (rb'"\u0000"', "\0"),
    "U+2028 raw": ('"\u2028"'.encode(), "\u2028"),
    "U+0085 raw": ('"\x85"'.encode(), "\x85"),
    "DEL raw": (b'"\x7f"', "\x7f"),
    "a character outside the basic plane": ('"😀"'.encode(), "😀"),
    "a pair of surrogate escapes": (rb'"\ud83d\ude00"', "😀"),
    "a lone surrogate escape": (rb'"\ud800x"', "\ud800x"),
    "the largest double": (b"1.7976931348623157e308", 1.7976931348623157e308),
    "a double that underflows": (b"1e-999", 0.0),
    "the longest integer": (b"1" * MAX_INTEGER_DIGITS, int("1" * MAX_INTEGER_DIGITS)),
    "the longest negative integer": (b"-1" + b"0" * (MAX_INTEGER_DIGITS - 1), -(10**308)),
    "a scalar": (b"null", None),
}


@pytest.mark.parametrize(("text", "value"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_rfc_8259_allows_is_read(text: bytes, value: object) -> None:
    assert strictjson.loads(text) == value


def test_an_integer_with_a_fraction_is_no_int() -> None:
    assert [type(value) for value in strictjson.loads(b"[1, 1.0, 1e0]")] == [int, float, float]


def nested(levels: int) -> bytes:
    return b'{"a":[' * (levels // 2) + b"]}" * (levels // 2)


def test_a_value_as_deep_as_allowed_is_read_and_one_level_more_is_not() -> None:
    assert strictjson.dumps(strictjson.loads(nested(MAX_DEPTH))).encode() == nested(MAX_DEPTH)
    with pytest.raises(StructureError, match="levels deep"):
        strictjson.loads(b"[" + nested(MAX_DEPTH) + b"]")


def test_depth_is_what_counts_and_not_the_number_of_brackets() -> None:
    assert strictjson.loads(b"[" + b"[],{}," * 3000 + b"1]")[-3:] == [[], {}, 1]


def test_brackets_that_never_close_are_too_deep() -> None:
    with pytest.raises(StructureError):
        strictjson.loads(b"[" * 100_000)


def test_more_values_than_allowed_are_refused() -> None:
    zeros = b"0," * (MAX_VALUES - 2) + b"0"
    assert len(strictjson.loads(b"[" + zeros + b"]")) == MAX_VALUES - 1
    with pytest.raises(StructureError, match="values in one message"):
        strictjson.loads(b"[" + zeros + b",0,0]")


def test_eight_megabytes_of_empty_arrays_cost_little_memory() -> None:
    text = b"[" + b"[]," * (8 * 1024 * 1024 // 3) + b"[]]"
    tracemalloc.start()
    try:
        with pytest.raises(StructureError):
            strictjson.loads(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(text)


STRINGS = {
    "open brackets": "[" * 2000 + "{" * 2000,
    "commas": "," * (MAX_VALUES + 10),
    "escaped quotes before brackets": '"' + '\\"[' * 1000,
    "a backslash at the end": "[" * 1000 + "\\",
    "newlines": "[\n" * 1000,
}


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS.keys())
def test_brackets_and_commas_inside_strings_are_not_structure(text: str) -> None:
    value = {text: [text, 1]}
    assert strictjson.loads(json.dumps(value).encode()) == value


def test_a_string_does_not_hide_the_structure_after_it() -> None:
    deep = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    with pytest.raises(StructureError):
        strictjson.loads(rb'["\\", ' + deep + b', "]]"]')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        strictjson.dumps([value])


def test_a_value_without_a_json_form_is_not_written() -> None:
    with pytest.raises(TypeError):
        strictjson.dumps({1, 2})


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    assert strictjson.dumps("é\ud800") == r'"\u00e9\ud800"'


def test_other_text_is_written_as_it_is() -> None:
    assert strictjson.dumps("é\u2028😀") == '"é\u2028😀"'


@given(json_values())
def test_what_is_written_is_one_line_of_utf_8_that_reads_back_the_same(value: object) -> None:
    text = strictjson.dumps(value).encode("utf-8")
    assert b"\n" not in text
    assert strictjson.loads(text) == value
