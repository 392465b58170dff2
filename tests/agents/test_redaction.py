"""Keys do not get into text that others see."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.agents.redaction import redacted, redacted_json

ENVIRONMENT = {
    "ANTHROPIC_API_KEY": "key-of-mine",
    "longer_token": "key-of-mine-and-more",
    "PGPASSWORD": " spaced secret \n",
    "SSH_KEY": "-----BEGIN-----\nline one of it\nabc\n-----END KEY-----\n",
    "TOKENIZERS_PARALLELISM": "false",
    "HOME": "/home/somebody",
    "EMPTY_SECRET": "",
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("401: key-of-mine is wrong", "401: [redacted] is wrong"),
        ("key-of-mine-and-more", "[redacted]"),
        ("<spaced secret>", "<[redacted]>"),
        ("  line one of it\\n", "  [redacted]\\n"),
        ("abc false /home/somebody", "abc false /home/somebody"),
        ("key-of-min", "key-of-min"),
        ("sk-ant-api03-abcdefghijklmnop is invalid", "[redacted] is invalid"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer [redacted]"),
        ("task-management-of-somebody-else-altogether", "task-management-of-somebody-else-altogether"),
        ("risk-averse-and-well-considered-2026", "risk-averse-and-well-considered-2026"),
        ("", ""),
    ],
)
def test_values_of_secret_variables_and_forms_of_keys_are_hidden(text: str, shown: str) -> None:
    assert redacted(text, ENVIRONMENT) == shown


def test_all_text_in_a_value_is_covered() -> None:
    value: Any = {"a": ["key-of-mine", 1, None, {"key-of-mine": True}], "b": 0.5}
    hidden = {"a": ["[redacted]", 1, None, {"[redacted]": True}], "b": 0.5}
    assert redacted_json(value, ENVIRONMENT) == hidden


def test_the_hosts_own_variables_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "only-here-and-now")
    assert redacted("x only-here-and-now x") == "x [redacted] x"


def test_a_text_that_looks_like_the_beginning_of_keys_all_over_is_read_in_one_pass() -> None:
    text = "sk-" * 1_000_000
    assert redacted(text, {}) == text
