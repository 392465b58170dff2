"""What a workflow says reaches a terminal as text and nothing else."""

from __future__ import annotations

import pytest

from flowcage.host.terminal import MAX_CHARACTERS, safe, wants_colour


@pytest.mark.parametrize("character", [*"\0\r\x1b\x7f\x85\x9b\u2028\u202a\u202e\u2066\u2069", "\ud800"])
def test_a_character_that_steers_a_terminal_is_replaced(character: str) -> None:
    assert safe(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_words_in_any_script_and_lines_stay() -> None:
    assert safe("a\tb\nŁódź 🐋 שלום") == "a b\nŁódź 🐋 שלום"


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
