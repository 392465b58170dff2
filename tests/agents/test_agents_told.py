"""What programs tell on their descriptor 3."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import trio

from flowcage.host.agents import AgentAnswer, AgentCall, AgentError, WrongAnswer
from flowcage.host.agents.answer import AgentUsage, Progress
from flowcage.host.agents.programs.command import command_agent
from flowcage.host.agents.programs.notes import MAX_NOTE_BYTES, NoteReader
from flowcage.host.agents.programs.told import MAX_COMPLAINTS, MAX_NAME_CHARACTERS, Told, progress_of

USAGE = {"input": 10, "output": 5, "cacheRead": 3, "cacheWrite": 2}
LEFT_OUT = "a line on descriptor 3 was left out, which "


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ({"progress": "reads"}, Progress("reads")),
        ({"usage": USAGE}, Progress(usage=AgentUsage(10, 5, 3, 2))),
        ({"usage": {"output": 5, "more": 1}}, Progress(usage=AgentUsage(0, 5))),
        ({"costUsd": 0.25, "model": "m", "sessionId": "s"}, Progress(None, None, 0.25, "m", "s")),
        ({"costUsd": 0}, Progress(cost_usd=0)),
        ({}, Progress()),
        ({"usage": None, "costUsd": None, "model": None, "progress": None, "more": [1]}, Progress()),
        ({"progress": "x" * 5_000}, Progress("x" * 999 + "…")),
    ],
)
def test_a_line_is_progress(line: Any, progress: Progress) -> None:
    assert progress_of(line) == progress


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ([], "is no JSON object"),
        (5, "is no JSON object"),
        ({"progress": 5}, "has a progress that is no text"),
        ({"usage": 5}, 'has a usage that is no object such as {"input": 10, "output": 5}'),
        ({"usage": {"input": -1}}, "has a usage.input that is no whole number of 0 or more"),
        ({"usage": {"output": 1.0}}, "has a usage.output that is no whole number of 0 or more"),
        ({"usage": {"cacheRead": True}}, "has a usage.cacheRead that is no whole number of 0 or more"),
        ({"usage": {"cacheWrite": None}}, "has a usage.cacheWrite that is no whole number of 0 or more"),
        ({"usage": {"input": 10**300}}, "has a usage.input that is no whole number of 0 or more"),
        ({"costUsd": "1"}, "has a costUsd that is no number of 0 or more"),
        ({"costUsd": True}, "has a costUsd that is no number of 0 or more"),
        ({"costUsd": -0.1}, "has a costUsd that is no number of 0 or more"),
        ({"costUsd": 1e300}, "has a costUsd that is no number of 0 or more"),
        ({"model": ""}, "has a model of 0 characters, and may have 1 to 1000"),
        ({"model": ["m"]}, "has a model that is no text"),
        ({"sessionId": "s" * 1_001}, "has a sessionId of 1001 characters, and may have 1 to 1000"),
    ],
)
def test_a_line_with_a_wrong_member_is_left_out_as_a_whole(line: Any, why: str) -> None:
    heard: list[Progress] = []
    told = Told(heard.append)
    told.note({"progress": "begun", "costUsd": 1})
    told.note({"model": "m", **line} if isinstance(line, dict) else line)
    assert heard[1:] == [Progress(f"{LEFT_OUT}{why}")]
    assert told.spent == {"usage": None, "cost_usd": 1, "model": None}


def test_the_last_word_on_each_thing_counts() -> None:
    told = Told(lambda _progress: None)
    for line in ({"usage": {"input": 9}}, {"model": "a", "sessionId": "s"}, {"usage": USAGE}, {"model": "b"}):
        told.note(line)
    assert told.spent == {"usage": AgentUsage(10, 5, 3, 2), "cost_usd": None, "model": "b"}
    assert told.session_id == "s"


def test_of_many_wrong_lines_the_first_are_told_of() -> None:
    heard: list[Progress] = []
    told = Told(heard.append)
    for _ in range(100):
        told.note(5)
    assert len(heard) == MAX_COMPLAINTS
    assert str(heard[-1].text).endswith("; further ones are not told of")


@pytest.mark.parametrize("size", [1, 2, 7, 100_000])
def test_lines_are_read_however_they_are_cut(size: int) -> None:
    notes: list[Any] = []
    bad: list[str] = []
    reader = NoteReader(notes.append, bad.append)
    long, longest = b'"%s"' % (b"x" * MAX_NOTE_BYTES), b'"%s"' % (b"y" * (MAX_NOTE_BYTES - 2))
    lines = [b'{"a": 1}', b"", b" \r", b"5\r", b"{", b"\xff", b"NaN", long, longest, b"[" * 600, b"7"]
    data = b"\n".join(lines)
    ends = sum(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert notes == [{"a": 1}, 5, json.loads(longest)]  # the last line has no end
    assert ends >= 1
    assert [why.partition(":")[0] for why in bad] == [
        *("is not JSON", "is not JSON", "is not JSON"),
        f"is longer than {MAX_NOTE_BYTES} bytes",
        "is not JSON",
    ]


def told_by(code: str, schema: Any = None) -> tuple[AgentAnswer | AgentError, list[Progress]]:
    """The answer of a program, or its error, and what it told before; `tell` writes a line."""
    prelude = "import json, os, sys\ndef tell(**line): os.write(3, json.dumps(line).encode() + b'\\n')\n"
    agent = command_agent([sys.executable, "-I", "-c", prelude + code], timeout_s=60)
    heard: list[Progress] = []
    call = AgentCall("7", "p", {"schema": schema}, watcher=heard.append)
    try:
        return trio.run(agent, call), heard
    except AgentError as error:
        return error, heard


def test_an_answer_has_what_was_told() -> None:
    spent = (
        "tell(progress='reads', sessionId='s')\ntell(usage=dict(input=3, output=4), costUsd=0.5, model='m')\n"
    )
    answer, heard = told_by(f"{spent}print('done')")
    assert answer == AgentAnswer("done", 7, AgentUsage(3, 4), 0.5, "m", "s")
    assert heard == [Progress("reads", session_id="s"), Progress(None, AgentUsage(3, 4), 0.5, "m")]


@pytest.mark.parametrize(
    ("code", "schema"), [("sys.exit(3)", None), ("print('no JSON')", {}), ("os.write(1, b'\\xff')", None)]
)
def test_a_failure_has_what_was_told(code: str, schema: Any) -> None:
    error, _ = told_by(f"tell(usage=dict(input=3), costUsd=0.5, model='m')\n{code}", schema)
    assert isinstance(error, AgentError)
    assert isinstance(error, WrongAnswer) == (schema is not None)
    assert (error.tokens, error.usage, error.cost_usd, error.model) == (3, AgentUsage(3), 0.5, "m")


def test_hostile_lines_cost_no_answer_and_no_memory() -> None:
    answer, heard = told_by(
        "os.write(3, b'what?\\n' + b'\\xff\\n')\n"
        "for _ in range(1_000): os.write(3, b'x' * 65_536)\n"
        "os.write(3, b'\\n')\ntell(progress='done')\nos.write(3, b'{\"progress\": ')\nprint('ok')"
    )
    assert isinstance(answer, AgentAnswer)
    assert answer.value == "ok"
    assert [str(each.text).removeprefix(LEFT_OUT)[:20] for each in heard] == [
        *("is not JSON: Expecti", "is not JSON: 'utf-8'"),
        *("is longer than 65536", "done"),
    ]


def test_a_program_without_interest_in_it_may_close_it_or_hand_it_on() -> None:
    answer, _ = told_by("os.close(3); print('ok')")
    assert isinstance(answer, AgentAnswer)
    answer, heard = told_by("os.system('echo \\'{\"progress\": \"by a shell\"}\\' >&3'); print('ok')")
    assert heard == [Progress("by a shell")]


def test_only_the_four_descriptors_are_open_in_a_program() -> None:
    answer, _ = told_by("print(sorted(map(int, os.listdir('/proc/self/fd'))))")
    assert isinstance(answer, AgentAnswer)
    listing = 4  # the one that lists them
    assert answer.value == str([0, 1, 2, 3, listing])


def test_names_may_be_as_long_as_is_said() -> None:
    assert progress_of({"model": "m" * MAX_NAME_CHARACTERS}).model == "m" * MAX_NAME_CHARACTERS
