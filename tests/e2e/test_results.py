"""The result in each format, in a file, and stderr as text and as JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ..terminal.emulator import on_terminal, terminal
from .command import DEADLINE, FLOWCAGE, flowcage

NESTED = {"a": [1, "x\ny"], "ü": None}
# Result of the workflow, and what each format has of it.
FORMATS: dict[str, tuple[Any, str, str]] = {
    "text": ("one\ntwo", "one\ntwo\n", "one\ntwo\n"),
    "an object": (NESTED, json.dumps(NESTED, indent=2, ensure_ascii=False) + "\n",
                  json.dumps(NESTED, separators=(",", ":"), ensure_ascii=False) + "\n"),
    "null": (None, "null\n", "null\n"),
    "half of a pair": ("a\ud800b", "a\ufffdb\n", "a\ufffdb\n"),
    "half of a pair in an object": (["\ud800"], '["\\ud800"]\n', '["\\ud800"]\n'),
}  # fmt: skip


def script(folder: Path, source: str) -> Path:
    path = folder / "w.js"
    path.write_text(source)
    return path


@pytest.mark.parametrize("case", FORMATS)
def test_each_format_has_the_result(case: str, tmp_path: Path) -> None:
    value, text, raw = FORMATS[case]
    path = script(tmp_path, f"return {json.dumps(value)}")
    words = ("run", path, "--no-store", "--quiet")
    assert flowcage(*words).json["result"] == value
    assert flowcage(*words, "--format", "json").json["result"] == value
    assert flowcage(*words, "--format", "text").stdout == text
    assert flowcage(*words, "--format", "raw").stdout == raw


@pytest.mark.parametrize("form", ["text", "raw"])
def test_a_run_without_a_result_prints_none(form: str, tmp_path: Path) -> None:
    path = script(tmp_path, "throw new Error('boom')")
    finished = flowcage("run", path, "--no-store", "--format", form)
    assert (finished.status, finished.stdout) == (1, "")
    assert "Error: boom" in finished.stderr


def test_the_result_goes_to_a_file_and_stdout_stays_empty(tmp_path: Path) -> None:
    path, out = script(tmp_path, "return 'x'"), tmp_path / "out"
    out.write_text("of before, and longer than what comes")
    finished = flowcage("run", path, "--no-store", "-o", out)
    assert (finished.status, finished.stdout) == (0, "")
    assert json.loads(out.read_text())["result"] == "x"
    assert flowcage("run", path, "--no-store", "-o", out, "--format", "raw").status == 0
    assert out.read_text() == "x\n"


def test_a_file_that_cannot_be_written_is_told_before_anything_is_run(tmp_path: Path) -> None:
    path = script(tmp_path, "log('ran'); return 1")
    finished = flowcage("run", path, "--no-store", "-o", tmp_path / "none" / "out")
    assert finished.status == 2
    assert finished.stderr.startswith(
        f"flowcage: --output {tmp_path}/none/out: cannot be written: No such file"
    )
    assert "ran" not in finished.stderr
    finished = flowcage("run", path, "--no-store", "-o", path)
    assert finished.status == 2
    assert "would be overwritten" in finished.stderr
    assert path.read_text() == "log('ran'); return 1"


def test_events_and_the_result_do_not_share_a_file(tmp_path: Path) -> None:
    path, out = script(tmp_path, "return 1"), tmp_path / "out"
    finished = flowcage("run", path, "--no-store", "-o", out, "--events", out)
    assert finished.status == 2
    assert f"--events {out} is the same file as --output {out}; it would be overwritten" in finished.stderr
    again = flowcage("run", path, "--no-store", "-o", "/dev/null", "--events", "/dev/null")
    assert (again.status, again.stdout) == (0, "")


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    finished = flowcage("run", script(tmp_path, "return 1"), "--no-store", "-o", "/dev/full")
    assert finished.status == 125
    assert "the result cannot be written: No space left on device" in finished.stderr


HOSTILE = "\x1b[2J\u202eevil\nflowcage: completed\x9b"


def test_a_text_on_a_terminal_steers_nothing_and_begins_where_no_message_does(tmp_path: Path) -> None:
    path = script(tmp_path, f"return {json.dumps(HOSTILE)}")
    with (
        terminal() as emulator,
        on_terminal(emulator, FLOWCAGE, "run", path, "--no-store", "--quiet") as process,
    ):
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert lines == ["  �[2J�evil", "  flowcage: completed�"]


SUMMARY = """
const number = () => agent('c', {schema: {type: 'number'}});
const all = await parallel([() => agent('a'), () => agent('b'), number]);
if (args.fail) throw new Error('boom');
return all;"""


@pytest.mark.parametrize(("args", "word"), [("{}", "done"), ('{"fail":true}', "failed")])
def test_the_last_line_says_how_it_ended_and_what_it_cost(args: str, word: str, tmp_path: Path) -> None:
    path = script(tmp_path, SUMMARY)
    agent = "command:cat > /dev/null; echo no number"
    finished = flowcage("run", path, "--no-store", "--args", args, "--agent", f"command:sh -c '{agent[8:]}'")
    assert re.fullmatch(rf"{word} in \d+\.\d s: 3 agents, 1 failed", finished.stderr.splitlines()[-1])
    quiet = flowcage("run", path, "--no-store", "--args", args, "--agent", "mock", "--quiet")
    assert f"{word} in" not in quiet.stderr


def test_each_line_of_stderr_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("log('of the kid \x1b[31m'); return await agent('x')")
    path = script(tmp_path, "phase('One'); await workflow('kid'); agent('left'); return 1")
    finished = flowcage("run", path, "--no-store", "--agent", "mock", "--log-format", "json")
    records = [json.loads(line) for line in finished.stderr.splitlines()]
    assert finished.json["result"] == 1
    kinds = [record["type"] for record in records]
    assert kinds[:5] == ["started", "message", "diagnostic", "phase", "child_started"]
    assert all("time" in record for record in records)
    assert records[-1] | {"time": 0, "seconds": 0} == {
        "type": "summary",
        "time": 0,
        "verdict": "completed",
        "seconds": 0,
        "agents": 1,
        "failed": 0,
        "cancelled": 0,
        "reused": 0,
        "tokens": 1,
        "costUsd": 0.0,
        "unpriced": 0,
    }
    messages = [record for record in records if record["type"] == "message"]
    assert [each["level"] for each in messages] == ["warning", "note"]  # before the run, and at its end
    assert all("agent" in each["message"] for each in messages)


def test_a_failure_is_a_record_too(tmp_path: Path) -> None:
    path = script(tmp_path, "throw new Error('boom')")
    finished = flowcage("run", path, "--no-store", "--log-format", "json")
    records = [json.loads(line) for line in finished.stderr.splitlines()]
    assert [record["level"] for record in records if record["type"] == "message"] == ["error"]
    assert records[-1]["verdict"] == "failed"
    missing = flowcage("run", tmp_path / "none.js", "--log-format", "json")
    assert json.loads(missing.stderr)["message"].endswith("none.js: no such file")


@pytest.mark.parametrize(
    "words",
    [
        ["--nope", "--log-format", "json"],
        ["--log-format=json", "--timeout", "x"],
        ["--log-format", "json", "a", "b"],
    ],
)
def test_wrong_usage_is_a_record_too(words: list[str], tmp_path: Path) -> None:
    finished = flowcage("run", script(tmp_path, "return 1"), *words)
    told = json.loads(finished.stderr)
    assert (finished.status, told["type"], told["level"]) == (2, "message", "error")


def test_the_last_of_two_forms_counts(tmp_path: Path) -> None:
    words = ("--log-format", "json", "--log-format", "text", "--nope")
    assert flowcage("run", script(tmp_path, "return 1"), *words).stderr.startswith("Usage: ")


def test_watch_has_the_same_formats(tmp_path: Path) -> None:
    path, store = (
        script(tmp_path, "await agent('x', {label: 'l'}); return 'the result'"),
        tmp_path / "runs.db",
    )
    assert flowcage("run", path, "--store", store, "--agent", "mock").status == 0
    words = ("watch", "@last", "--store", store)
    assert flowcage(*words).json["result"] == "the result"
    assert flowcage(*words, "--format", "raw").stdout == "the result\n"
    told = flowcage(*words).stderr.splitlines()
    assert told[0] == "-> agent 1 l"
    assert re.fullmatch(r"<- agent 1 l answered in \d+\.\d\d s", told[1])
    records = [json.loads(line) for line in flowcage(*words, "--log-format", "json").stderr.splitlines()]
    assert [record["type"] for record in records][:1] == ["started"]
    assert records[-1]["type"] == "summary"
    assert flowcage(*words, "--quiet").stderr == ""
    assert flowcage(*words, "-o", tmp_path / "out", "--format", "text").stdout == ""
    assert (tmp_path / "out").read_text() == "the result\n"


@pytest.mark.parametrize(
    ("env", "is_coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, False),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({}, False),
    ],
)
def test_colour_on_a_pipe_is_asked_for(env: dict[str, str], is_coloured: bool, tmp_path: Path) -> None:
    clean = dict.fromkeys(("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"), "")
    path = script(tmp_path, "phase('One'); return 1")
    finished = flowcage("run", path, "--no-store", env={**os.environ, **clean, **env})
    assert ("\x1b[1;36m== One\x1b[0m\n" in finished.stderr) == is_coloured
    assert ("\x1b" in finished.stderr) == is_coloured
