"""`mock` answers from a file, which is refused with the place where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from flowcage.agents import AgentAnswer, AgentCall, AgentError, AgentUsage
from flowcage.host.agents.mock.fixtures import FixturesError, read_fixtures
from flowcage.host.agents.mock.mock import mock

LINES = b"""\xef\xbb\xbf
{"label": "verify:*", "answer": {"ok": true}, "usage": {"input": 3, "output": 4}, "costUsd": 0.5}
{"phase": "Review", "prompt": "*security*", "answer": "safe", "model": "m", "sessionId": "s"}
{"label": "dead", "error": "no credit", "tokens": 7}

{"prompt": "[[]x]*", "answer": null}
"""


def ask(data: bytes, prompt: str, phase: str | None = None, **options: Any) -> AgentAnswer:
    return trio.run(mock(read_fixtures(data, "f")), AgentCall("1", prompt, options, phase=phase))


def test_the_first_entry_that_fits_answers() -> None:
    told = ask(LINES, "any\ntext", label="verify:a\nb")
    assert told == AgentAnswer({"ok": True}, 7, AgentUsage(3, 4), 0.5)
    told = ask(LINES, "is it\nof security?\n", phase="Review")
    assert told == AgentAnswer("safe", model="m", session_id="s", cost_usd=0.0)
    assert ask(LINES, "[x] 1").value is None


def test_an_entry_may_be_an_error_that_costs_each_time_the_same() -> None:
    agent = mock(read_fixtures(LINES, "f"))
    for _ in range(2):
        with pytest.raises(AgentError, match=r"^no credit$") as caught:
            trio.run(agent, AgentCall("1", "x", {"label": "dead"}))
        assert caught.value.tokens == 7


@pytest.mark.parametrize(
    ("prompt", "options", "phase"),
    [
        ("security", {}, "Other"),
        ("security", {}, None),
        ("x", {"label": "Verify:a"}, None),
        ("x", {}, "Review"),
    ],
)
def test_a_call_that_no_entry_fits_is_refused(prompt: str, options: Any, phase: Any) -> None:
    with pytest.raises(
        AgentError, match=r"no fixture answers this call \((label 'Verify:a'|no label), prompt"
    ):
        ask(LINES, prompt, phase, **options)


@pytest.mark.parametrize(
    "data",
    [
        b'[{"answer": 1}]',
        b'{"answer": 1}',
        b'{"answer": 1}\n',
        b'\n{"answer": 1}\n{"answer": 2}',
        b'{\n"answer":\n1}',
    ],
)
def test_json_and_json_lines_are_read(data: bytes) -> None:
    assert ask(data, "x").value == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f:1: is not JSON"),
        (b"[]", "f: has no entry"),
        (b"{", "f:1: is not JSON: Expecting property name"),
        (b'{"answer": 1}\n{"answer": }', "f:2: is not JSON: Expecting value"),
        (b'[{"answer": 1}, 2]', "f: entry 2: expected an object with `answer`, not 2"),
        (b'{"answer": 1}\n{"anser": 1}', "f:2: there is no key 'anser'; did you mean 'answer'"),
        (b"{}", "f: entry 1: expected one of `answer` and `error`"),
        (b'{"answer": 1, "error": "x"}', "f: entry 1: expected one of `answer` and `error`"),
        (b'{"error": 1}', "f: entry 1: `error` must be text, not 1"),
        (b'{"label": null, "answer": 1}', "f: entry 1: `label` must be text, not null"),
        (b'{"answer": 1, "tokens": -1}', "f: entry 1: tokens must be a whole number"),
        (b'{"answer": 1, "costUsd": "1"}', "f: entry 1: cost_usd must be a number"),
        (b'{"answer": 1, "usage": 3}', "f: entry 1: `usage` must be an object, not 3"),
        (
            b'{"answer": 1, "usage": {"inputs": 3}}',
            "f: entry 1: `usage` has no 'inputs'; did you mean 'input'",
        ),
        (b'{"answer": 1, "usage": {"input": true}}', "f: entry 1: input must be a whole number"),
        (b'{"answer": NaN}', "f: is not JSON"),
        (b'"\xff"', "f: is not JSON"),
        (b"[" * 100_000, "f: is not JSON"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(data: bytes, message: str) -> None:
    with pytest.raises(FixturesError) as caught:
        read_fixtures(data, "f")
    assert str(caught.value).startswith(message)
