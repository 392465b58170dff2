"""What a workflow says reaches a terminal as text and nothing else."""

from __future__ import annotations

import json

import pytest

from flowcage.host.terminal.text import (
    MAX_CHARACTERS,
    cut,
    escaped,
    indented,
    message,
    plain_text,
    safe,
    tail,
    wants_colour,
)

# C0, C1, DEL; separators; bidirectional; zero-width, byte-order mark, soft hyphen, tags; private, unassigned,
# half of a pair.
STEERING = [
    *"\0\r\v\x1b\x7f\x80\x85\x9b\x9d\x9f",
    *"\u2028\u2029",
    *"\u061c\u200e\u200f\u202a\u202e\u2066\u2069",
    *"\u200b\u2060\ufeff\xad\U000e0001\U000e0041",
    *"\ue000\U0010fffd\ufffe\U000e0080\ud800\udfff",
]


@pytest.mark.parametrize("character", STEERING, ids=ascii)
def test_a_character_that_steers_a_terminal_is_replaced(character: str) -> None:
    assert safe(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("character", [*STEERING, *"\u200c\u200d"], ids=ascii)
def test_in_json_it_is_escaped_and_the_value_stays(character: str) -> None:
    text = json.dumps(f"a{character}b", ensure_ascii=False)
    assert escaped(text).isascii()
    assert json.loads(escaped(text)) == f"a{character}b"


@pytest.mark.parametrize("text", ["a\nŁódź 🐋 שלום नमस्ते", "می\u200cخواهم", "👩\u200d🚀"])
def test_words_in_any_script_and_lines_stay(text: str) -> None:
    assert safe(text) == plain_text(text.encode()) == text


def test_json_stays_as_it_is_but_for_what_steers() -> None:
    text = '{\n  "Łódź": ["🐋", "\\n"]\n}\n'
    assert escaped(text) == text


def test_a_tab_becomes_a_space() -> None:
    assert safe("a\tb") == "a b"


@pytest.mark.parametrize(
    ("text", "most", "head", "end"),
    [("", 3, "", ""), ("abc", 3, "abc", "abc"), ("abcd", 3, "ab…", "…cd"), ("abcd", 1, "…", "…")],
)
def test_where_characters_are_missing_there_is_an_ellipsis(text: str, most: int, head: str, end: str) -> None:
    assert cut(text, most) == head
    assert tail(text, most) == end


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = safe("x" * 1_000_000)
    assert len(shown) < MAX_CHARACTERS + 100
    assert shown.endswith("(1000000 characters)")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),  # stderr is no terminal here
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "false"}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "3"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "0"}, False),
    ],
)
def test_colour_is_what_the_environment_asks_for(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour() is coloured


def test_further_lines_are_indented_whatever_separates_them() -> None:
    assert indented("a\nflowcage: completed\n\nb") == "a\n   flowcage: completed\n   \n   b"
    assert indented("a\r\nb\rc\x85d\u2028e") == "a\ufffd\n   b\ufffdc\ufffdd\ufffde"
    assert indented("a\nb", "  ") == "a\n  b"


def test_a_message_keeps_its_layout_and_no_line_of_it_begins_at_column_0() -> None:
    assert message("error: a\nb\n c\n  const d\n\ne\r\nf") == (
        "error: a\n   b\n    c\n  const d\n   \n   e\ufffd\n   f"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b(Bplain\x1b7\x1bc", "plain"),
        (b"\x1bPq#0\x1b\\after", "after"),
        (b"10%\r20%\r\ndone", "10%\n20%\n\ndone"),
        (b"bell\x07 nul\x00 del\x7f tab\t|", "bell nul del tab\t|"),
        ("\u009b31mc1\u0085".encode(), "31mc1"),
        (b"not \xff utf-8", "not \ufffd utf-8"),
        (b"cut \x1b[", "cut"),
    ],
)
def test_what_it_said_is_shown_without_anything_that_a_terminal_obeys(said: bytes, shown: str) -> None:
    assert plain_text(said) == shown
