"""``flowcage run``: results on stdout, progress on stderr, errors that name the file, exit statuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .command import DEADLINE, EXAMPLES, FLOWCAGE, WORDS_AGENT, flowcage


def workflow(folder: Path, source: str, name: str = "w.js") -> Path:
    path = folder / name
    path.write_text(source)
    return path


@pytest.mark.parametrize("agent", ["echo", WORDS_AGENT])
@pytest.mark.parametrize("example", ["review.js", "research.js", "parent.js"])
def test_every_example_runs_with_every_kind_of_agent(example: str, agent: str) -> None:
    finished = flowcage("run", EXAMPLES / example, "--agent", agent, "--budget", "9000")
    assert finished.status == 0, finished.stderr
    assert set(finished.json) == {
        "runId", "verdict", "result", "usage", "census", "phases", "diagnostics",
    }  # fmt: skip
    assert finished.json["usage"]["agents"] >= 3


def test_a_command_agent_answers_every_call(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    agent = workflow(tmp_path, f"open({str(calls)!r}, 'a').write('call\\n'); print(input().upper())", "a.py")
    source = 'export default parallel(["a", "b", "c"].map((p) => () => agent(p)))'
    finished = flowcage("run", workflow(tmp_path, source), "--agent", f"command:{sys.executable} -S {agent}")
    assert finished.json["result"] == ["A", "B", "C"]
    assert calls.read_text() == "call\n" * 3


def test_stdout_is_one_line_of_json_and_progress_goes_to_stderr(tmp_path: Path) -> None:
    path = workflow(tmp_path, 'phase("P"); log("hello", {a: 1}); export default async () => agent("q")')
    finished = flowcage("run", path)
    assert finished.stdout.count("\n") == 1
    assert finished.json["result"] == "echo: q"
    assert "P" in finished.stderr
    assert 'hello {"a":1}' in finished.stderr


def test_quiet_says_nothing_on_stderr_where_there_is_no_warning(tmp_path: Path) -> None:
    assert flowcage("run", workflow(tmp_path, 'log("x"); export default 1'), "--quiet").stderr == ""


def test_a_workflow_cannot_send_escapes_to_the_terminal(tmp_path: Path) -> None:
    path = workflow(tmp_path, r'log("\x1b[31mred\x9b2J\u202e"); export default 1')
    stderr = flowcage("run", path).stderr
    assert "red" in stderr
    assert not set("\x1b\x9b\u202e") & set(stderr)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {}),
        (["--args", '{"a": [1, null]}'], {"a": [1, None]}),
        (["--args", "7"], 7),
        (["--arg", "a=1", "--arg", "b=x=y"], {"a": "1", "b": "x=y"}),
    ],
)
def test_args_come_as_json_or_as_pairs(tmp_path: Path, options: list[str], expected: object) -> None:
    finished = flowcage("run", workflow(tmp_path, "export default args"), *options)
    assert finished.json["result"] == expected


def test_args_come_from_a_file(tmp_path: Path) -> None:
    args = workflow(tmp_path, '["from file"]', "args.json")
    finished = flowcage("run", workflow(tmp_path, "export default args"), "--args-file", args)
    assert finished.json["result"] == ["from file"]


def test_events_are_written_as_json_lines(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    flowcage("run", workflow(tmp_path, 'export default agent("x")'), "--events", events)
    kinds = [json.loads(line)["type"] for line in events.read_text().split("\n")[:-1]]
    assert kinds == ["started", "agent_queued", "agent_started", "agent_completed", "ended"]


def test_agent_calls_that_failed_are_one_line_on_stderr(tmp_path: Path) -> None:
    source = "export default parallel([() => agent('a'), () => agent('b'), () => agent('c')])"
    finished = flowcage("run", workflow(tmp_path, source), "--max-total-agents", "1")
    assert finished.json["result"] == ["echo: a", None, None]
    assert (
        "note: 2 of 3 agent calls failed, 2 of them refused before they began; "
        "2 errors were swallowed by parallel() or pipeline()" in finished.stderr
    )
    quiet = flowcage("run", workflow(tmp_path, source), "--limit", "maxTotalAgents=1", "--quiet")
    assert quiet.json["result"] == ["echo: a", None, None]
    assert quiet.stderr == "".join(line for line in finished.stderr.splitlines(True) if "note: " in line)


@pytest.mark.parametrize(
    ("option", "result"),
    [
        ([], "agent() is refused: 2 of the budget's 2 tokens are spent"),
        (["--hard-budget"], "agent() is refused: 2 of the budget's 2 tokens are spent"),
        (["--soft-budget"], "echo: x"),
    ],
)
def test_a_budget_is_a_ceiling_unless_a_soft_one_is_asked_for(
    tmp_path: Path, option: list[str], result: str
) -> None:
    source = "await agent('one two'); export default agent('x').catch((error) => error.message)"
    finished = flowcage("run", workflow(tmp_path, source), "--budget", "2", *option)
    assert finished.json["result"] == result


USAGE_ERRORS = {
    "empty name": ([""], "Invalid value for 'FILE|NAME': expected a path, not an empty text"),
    "empty option": (["ok.js", "--args-file", ""], "'--args-file': expected a path, not an empty text"),
    "missing": (["missing.js"], "missing.js: no such file"),
    "folder": (["."], "is a folder"),
    "not UTF-8": (["latin.js"], "latin.js:2: not UTF-8 (byte 0xe9 at offset 6)"),
    "nul in name": (["a\udcffb.js"], "no such file"),
    "args not JSON": (["ok.js", "--args", "{a:1}"], "--args is not JSON"),
    "args NaN": (["ok.js", "--args", "NaN"], "--args is not JSON: NaN"),
    "args twice": (["ok.js", "--args", "1", "--arg", "a=b"], "give one of"),
    "args file missing": (["ok.js", "--args-file", "no.json"], "no.json: cannot be read"),
    "args file and BOM only": (["ok.js", "--args-file", "mark.json"], "--args-file mark.json is not JSON"),
    "one name twice": (
        ["ok.js", "--arg", "a=1", "--arg", "b=2", "--arg", "a=3"],
        "--arg a is given twice, as '1' and as '3'",
    ),
    "stdin twice": (["-", "--args-file", "-"], "only one of FILE and --args-file can be '-'"),
    "stdin twice for options": (
        ["ok.js", "--args-file", "-", "--limits", "-"],
        "only one of --args-file and --limits",
    ),
    "bad pair": (["ok.js", "--arg", "a"], "NAME=VALUE"),
    "unknown agent": (["ok.js", "--agent", "gpt"], "--agent"),
    "missing program": (["ok.js", "--agent", "command:no-such-program -x"], "no program 'no-such-program'"),
    "empty command": (["ok.js", "--agent", "command:"], "--agent"),
    "events folder missing": (["ok.js", "--events", "no/such/e.jsonl"], "--events"),
    "zero timeout": (["ok.js", "--timeout", "0"], "--timeout"),
    "zero memory": (["ok.js", "--memory", "0"], "--memory"),
    "hard budget without one": (["ok.js", "--hard-budget"], "--hard-budget needs --budget TOKENS"),
    "soft budget without one": (["ok.js", "--soft-budget"], "--soft-budget needs --budget TOKENS"),
    "no such failure": (["ok.js", "--agent-failure", "nil"], "--agent-failure"),
    "no such condition": (["ok.js", "--fail-on", "some"], "--fail-on"),
    "no agents in all": (["ok.js", "--max-total-agents", "0"], "--max-total-agents"),
    "unknown option": (["ok.js", "--nope"], "--nope"),
    "events to a dash": (["ok.js", "--events", "-"], "'--events': '-' is not stdin or stdout here"),
    "a dash as the root": (["ok.js", "--root", "-"], "'--root': '-' is not stdin or stdout here"),
}


@pytest.mark.parametrize("case", USAGE_ERRORS)
def test_a_usage_error_is_one_clear_message_and_status_2(tmp_path: Path, case: str) -> None:
    words, message = USAGE_ERRORS[case]
    workflow(tmp_path, "export default 1", "ok.js")
    (tmp_path / "latin.js").write_bytes(b"// 1\n/\xe9\nexport default 1")
    (tmp_path / "mark.json").write_bytes(b"\xef\xbb\xbf")
    finished = flowcage("run", *words, cwd=tmp_path)
    assert finished.status == 2
    assert message in finished.stderr
    assert finished.stdout == ""


def test_an_unreadable_file_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "loop.js"
    path.symlink_to(path)  # unreadable for root as well
    finished = flowcage("run", path)
    assert finished.status == 2
    assert "cannot be read" in finished.stderr


FAILURES = {
    "throws": ('export default () => { throw new Error("boom") }', 1, "boom"),
    "rejects": ('export default Promise.reject(new Error("boom"))', 1, "boom"),
    "no default": ("export const a = 1", 1, "must default export"),
    "bad import": ('import fs from "fs"; export default 1', 1, "imports are restricted"),
    "bigint": ("export default { n: 1n }", 1, "cannot be serialized"),
    "cycle": ("const a = {}; a.a = a; export default a", 1, "cannot be serialized"),
    "stalled": ("export default new Promise(() => {})", 1, "can never finish"),
    "memory": ("const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)", 137, "out of memory"),
    "stack": ("const f = () => f() + 1; export default f()", 1, "stack"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_workflow_that_fails_is_one_message_and_its_exit_status(tmp_path: Path, case: str) -> None:
    source, status, message = FAILURES[case]
    finished = flowcage("run", workflow(tmp_path, source))
    assert finished.status == status, finished.stderr
    assert message in finished.stderr
    assert message in finished.json["error"]["message"]


def test_a_syntax_error_shows_file_line_column_the_line_and_a_caret(tmp_path: Path) -> None:
    path = workflow(tmp_path, "const a = 1;\nconst b = = 2;\nexport default a;\n")
    finished = flowcage("run", path)
    assert finished.status == 1
    lines = finished.stderr.rstrip("\n").split("\n")
    assert lines[-4].startswith(f"flowcage: {path}:2:11: SyntaxError:")
    assert lines[-3] == "  const b = = 2;"
    assert lines[-2] == "            ^"
    assert lines[-1].startswith("failed in ")


def test_an_uncaught_error_shows_the_authors_frames(tmp_path: Path) -> None:
    path = workflow(tmp_path, 'const f = () => { throw new Error("boom") };\nexport default () => f();')
    stderr = flowcage("run", path).stderr
    assert f"({path}:1:" in stderr  # as it was typed, though the workflow knows it by another name
    assert f"({path}:2:" in stderr
    assert "flowcage:prelude" not in stderr


@pytest.mark.parametrize("source", ["for (;;);", "export default SW.extra.sleep(1e6)"])
def test_a_run_over_its_time_ends_with_124_and_leaves_no_process(tmp_path: Path, source: str) -> None:
    finished = flowcage("run", workflow(tmp_path, source), "--timeout", "0.5")
    assert finished.status == 124
    assert "longer than 0.5 s, the limit timeoutSeconds" in finished.stderr
    assert_no_child_of(tmp_path)


def test_ctrl_c_ends_with_130_and_leaves_no_process(tmp_path: Path) -> None:
    events = tmp_path / "events"
    os.mkfifo(events)
    path = workflow(tmp_path, "for (;;);")
    command: list[str | Path] = [FLOWCAGE, "run", path, "--events", events]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with events.open() as stream:  # opens when the command does; a line says that the child runs
            assert "started" in stream.readline()
            (child,) = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGINT)
            stream.read()
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert stderr.decode().strip().endswith("flowcage: interrupted")
    assert not child.is_running()


def assert_no_child_of(folder: Path) -> None:
    """No process that works on this test's files is left."""
    for process in psutil.process_iter(["cmdline"]):
        assert str(folder) not in " ".join(process.info["cmdline"] or []), process
