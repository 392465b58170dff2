"""Every ending of ``flowcage run`` is one JSON line on stdout, beside the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.run.node import new_run_id

from .command import DEADLINE, FLOWCAGE, flowcage

# With every line, in this order; between them the result or the error.
ALWAYS = ["runId", "verdict", "usage", "census", "phases", "diagnostics"]
# The JavaScript heap is not full, but the next string is too long for it.
FILLS_MEMORY = "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"

# source, options, exit status, verdict, error
ENDINGS: dict[str, tuple[str, list[str], int, str, dict[str, Any]]] = {
    "throws": (
        "\nthrow new TypeError('boom'); return 1",
        [],
        1,
        "failed",
        {"kind": "exception", "place": "w.js:2:11", "message": "workflow module rejected: boom"},
    ),
    "throws no error": ("throw 1", [], 1, "failed", {"kind": "exception", "stack": None, "place": None}),
    "no JavaScript": ("const b = = 2;", [], 1, "failed", {"kind": "syntax", "place": "w.js:1:11"}),
    "no default": ("export const a = 1", [], 1, "failed", {"kind": "missing_default", "place": None}),
    "a cycle": ("const a = {}; a.a = a; return a", [], 1, "failed", {"kind": "serialization"}),
    "stalled": ("await new Promise(() => {})\nreturn 1", [], 1, "stalled", {"kind": "stalled"}),
    "too long": (
        "return SW.extra.sleep(1e6)",
        ["--timeout", "1"],
        124,
        "wall_timeout",
        {"kind": "wall_timeout", "message": "the run took longer than 1 s, the limit timeoutSeconds"},
    ),
    "a step": ("for (;;);", ["--limit", "stepTimeoutMs=200"], 124, "step_timeout", {"kind": "timeout"}),
    "memory": (FILLS_MEMORY, ["--memory", "32"], 137, "memory_limit", {"kind": "memory"}),
    "a flood": (
        "for (;;) log('x'.repeat(1e5))",
        ["--limit", "maxQueuedBytes=1000000"],
        1,
        "output_limit",
        {"kind": "limit"},
    ),
    "a child that crashed": (
        "return 1",
        ["--isolation", "none", "--child-command", "sh -c 'kill -SEGV $$'"],
        125,
        "crashed",
        {"kind": "crashed", "stack": None, "place": None},
    ),
    "no child": (
        "return 1",
        ["--child-command", "/no/such/program"],
        125,
        "not_started",
        {"kind": "not_started", "stack": None, "place": None},
    ),
    "what cannot be sent": (
        f"// {'x' * 5_000_000}\nreturn 1",
        ["--args-file", "args.json"],
        2,
        "not_started",
        {"kind": "not_started"},
    ),
    "the events": (
        "for (;;) { log(1); await SW.extra.sleep(1) }",
        ["--events", "/dev/full"],
        125,
        "host_fault",
        {"kind": "host_fault", "message": "--events /dev/full: cannot be written: No space left on device"},
    ),
    "agents beyond the cap": (
        "for (;;) await agent('x').catch(() => 0)",
        ["--max-total-agents", "3"],
        1,
        "agent_limit",
        {"kind": "agent_limit"},
    ),
    "a spent budget": (
        "for (;;) await agent('x').catch(() => 0)",
        ["--budget", "4", "--max-total-agents", "50"],
        1,
        "budget_exhausted",
        {"kind": "budget_exhausted"},
    ),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_a_run_without_a_result_is_one_line_of_json(tmp_path: Path, case: str) -> None:
    source, options, status, verdict, error = ENDINGS[case]
    (tmp_path / "w.js").write_text(source)
    (tmp_path / "args.json").write_text(json.dumps("x" * 5_000_000))
    finished = flowcage("run", "w.js", *options, cwd=tmp_path)
    assert (finished.status, finished.stdout.count("\n")) == (status, 1), finished.stderr
    line = finished.json
    assert line["verdict"] == verdict
    assert {name: line["error"].get(name) for name in error} == error
    assert line["error"]["message"]
    names = [name for name in line if name not in ("logsDropped", "isolationMissing")]
    assert names == [*ALWAYS[:2], "error", *ALWAYS[2:]]


def test_a_run_with_a_result_is_one_line_of_json(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("phase('P', {detail: 1}); return agent('two words')")
    finished = flowcage("run", tmp_path / "w.js", "--agent-failure", "throw")
    assert (finished.status, finished.stdout.count("\n")) == (0, 1)
    assert list(finished.json) == [*ALWAYS[:2], "result", *ALWAYS[2:]]
    assert finished.json["verdict"] == "completed"
    assert finished.json["result"] == "echo: two words"
    assert finished.json["phases"] == [{"title": "P", "options": {"detail": 1}}]
    assert finished.json["usage"]["byWorkflow"]["w.js"]["P"]["agents"] == 1
    assert finished.json["census"]["completed"] == 1
    assert finished.json["runId"] < new_run_id()  # they sort by time


def test_the_line_has_the_id_that_the_events_have_also_where_nothing_was_started(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return 1")
    words: list[str | Path] = [
        "run",
        tmp_path / "w.js",
        "--events",
        tmp_path / "e",
        "--child-command",
        "/no/such/program",
    ]
    line = flowcage(*words).json
    (event,) = (tmp_path / "e").read_text().splitlines()
    assert json.loads(event)["runId"] == line["runId"]


def test_missing_layers_are_in_the_line_of_a_failed_run_too(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("throw new Error('boom')")
    line = flowcage("run", tmp_path / "w.js", "--isolation", "none").json
    assert "seccomp" in line["isolationMissing"]


@contextmanager
def waiting_run(
    tmp_path: Path, stdout: int = subprocess.PIPE, source: str = "phase('P'); return agent('x')"
) -> Iterator[subprocess.Popen[bytes]]:
    """A run whose agent has begun and does not answer."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    agent = tmp_path / "agent.py"
    agent.write_text(f"import time\nopen({str(ready)!r}, 'w').close()\ntime.sleep(1000)\n")
    (tmp_path / "w.js").write_text(source)
    words: list[str | Path] = [
        FLOWCAGE,
        "run",
        tmp_path / "w.js",
        "--agent",
        f"command:{sys.executable} -S {agent}",
    ]
    with subprocess.Popen(words, stdout=stdout, stderr=subprocess.PIPE) as process:
        try:
            ready.read_text()  # returns when the agent has opened its end and closed it again
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_run_that_a_signal_ended_tells_what_it_did_until_then(
    tmp_path: Path, number: signal.Signals, status: int, message: str
) -> None:
    with waiting_run(tmp_path) as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == status
    assert stderr.decode().endswith(f"flowcage: {message}\n")
    line = json.loads(stdout)
    assert (line["verdict"], line["error"]) == (
        "host_shutdown",
        {"kind": "host_shutdown", "message": message},
    )
    assert "result" not in line
    assert (line["census"]["started"], line["census"]["cancelled"]) == (1, 1)
    assert line["phases"] == [{"title": "P"}]
    assert line["usage"]["wallSeconds"] > 0


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more, as one whose reader has stopped."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_whose_line_nobody_reads(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    reading, writing = full_pipe()
    with waiting_run(tmp_path, stdout=writing) as process:
        process.send_signal(number)
        assert process.wait(DEADLINE) == status
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("target", [">/dev/full", ">&-", "| true"])
def test_a_failed_run_keeps_its_exit_status_where_its_line_cannot_be_written(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "w.js").write_text("throw new Error('boom')")
    done = subprocess.run(
        ["bash", "-c", f'"{FLOWCAGE}" run w.js {target}; exit ${{PIPESTATUS[0]}}'],
        cwd=tmp_path,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 1
    assert b"flowcage: failed: " in done.stderr
    assert b"the result cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


# What is lost of three calls, and the exit status for each --fail-on.
LOSSES = {
    "none": ("['a', 'b', 'c']", {"none": 0, "any": 0, "all": 0}),
    "one": ("['a', 'die', 'c']", {"none": 0, "any": 1, "all": 0}),
    "all": ("['die', 'die', 'die']", {"none": 0, "any": 1, "all": 1}),
    "no calls": ("[]", {"none": 0, "any": 0, "all": 0}),
}


@pytest.fixture
def mortal(tmp_path: Path) -> str:
    """An agent that fails where its prompt has the word "die", and keeps a record of what it was asked."""
    path = tmp_path / "mortal.py"
    path.write_text(
        "import sys\n"
        "prompt = sys.stdin.read()\n"
        f"open({str(tmp_path / 'asked')!r}, 'a').write(prompt + '\\n')\n"
        "sys.exit('out of words') if 'die' in prompt else print(prompt.upper())\n"
    )
    return f"command:{sys.executable} -S {path}"


@pytest.mark.parametrize("lost", LOSSES)
def test_agents_that_failed_can_be_the_exit_status_of_a_completed_run(
    tmp_path: Path, mortal: str, lost: str
) -> None:
    prompts, statuses = LOSSES[lost]
    (tmp_path / "w.js").write_text(f"return Promise.all({prompts}.map((p) => agent(p)))")
    words: list[str | Path] = ["run", tmp_path / "w.js", "--agent", mortal, "--agent-failure", "null"]
    for fail_on, status in statuses.items():
        option = [] if fail_on == "all" else ["--fail-on", fail_on]
        finished = flowcage(*words, *option, "--quiet")
        assert (finished.status, finished.json["verdict"]) == (status, "completed"), fail_on
        assert len(finished.json["result"]) == prompts.count(",") + (prompts != "[]")
        assert ("flowcage: exit status 1: " in finished.stderr) == bool(status)


def test_a_call_that_was_refused_counts_as_lost(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return agent('x')")
    words: list[str | Path] = ["run", tmp_path / "w.js", "--budget", "0", "--agent-failure", "null"]
    finished = flowcage(*words)
    assert (finished.status, finished.json["result"]) == (1, None)
    assert finished.json["census"]["refused"] == 1
    assert flowcage(*words, "--soft-budget").status == 0


def test_quiet_hides_progress_and_no_warning(tmp_path: Path, mortal: str) -> None:
    source = "log('chatter'); return Promise.all(Array.from({length: 30}, () => agent('die')))"
    (tmp_path / "w.js").write_text(source)
    words: list[str | Path] = [
        "run",
        tmp_path / "w.js",
        "--agent",
        mortal,
        "--agent-failure",
        "null",
        "--quiet",
    ]
    finished = flowcage(*words)
    notes = finished.stderr.splitlines()
    assert sum("failed and became null: agent program" in line for line in notes) == 20
    assert "flowcage: note: 10 more of the kind agent_failed, in the result on stdout" in notes
    assert "flowcage: note: 30 of 30 agent calls failed" in notes
    assert len(notes) == 23
    assert len(finished.json["diagnostics"]) == 30


def test_a_refused_answer_is_told_by_its_text(tmp_path: Path, mortal: str) -> None:
    (tmp_path / "w.js").write_text(
        "return agent('give me a number', {label: 'count', schema: {type: 'number'}})"
    )
    words: list[str | Path] = ["run", tmp_path / "w.js", "--agent", mortal, "--agent-failure", "null"]
    finished = flowcage(*words)
    (note,) = finished.json["diagnostics"]
    assert (note["kind"], note["label"], note["tries"]) == ("agent_failed", "count", 2)
    assert "GIVE ME A NUMBER" in note["refusedText"]
    assert "!! agent 1 count gave an answer that is refused: " in finished.stderr
    assert "!! agent 1 count failed: " in finished.stderr
    assert '; the last answer was "GIVE ME A NUMBER' in finished.stderr


def test_agents_that_end_with_their_workflow_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("import time\n'quick' in input() or time.sleep(1000)")
    (tmp_path / "w.js").write_text(
        "agent('slow', {label: 'left behind'}); await agent('quick'); throw new Error('boom')"
    )
    agent = f"command:{sys.executable} -S {tmp_path / 'agent.py'}"
    finished = flowcage("run", tmp_path / "w.js", "--agent", agent)
    assert "!! agent 1 left behind was cancelled: its workflow ended\n" in finished.stderr
    assert finished.json["census"]["cancelled"] == 1


FAULT_OF_OURS = """
import sys
from flowcage.host.cli.arguments import Script
from flowcage.host.cli.outcomes.conclusion import Conclusion
from flowcage.host.cli.outcomes.ending import Ending
from flowcage.host.cli.input_files import InputFiles
from flowcage.host.cli.outcomes.results import Results

async def broken():
    raise ZeroDivisionError("ours")

results = Results(None, None, InputFiles({}))
conclusion = Conclusion(results, is_quiet=True, as_json=False, store=None)
try:
    Ending(Script("return 1", "w.js", "w.js"), "all", conclusion).of(broken)
except* ZeroDivisionError:
    sys.exit(3)
"""


def test_a_fault_of_our_own_is_a_line_too_and_goes_on_to_be_reported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULT_OF_OURS], capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, done.stderr) == (3, b"")
    line = json.loads(done.stdout)
    assert (line["verdict"], line["error"]["kind"]) == ("host_fault", "host_fault")
    assert "ZeroDivisionError('ours')" in line["error"]["message"]
