"""Texts of a command line that stand in files: ``@FILE`` and ``-``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .command import DEADLINE, FLOWCAGE, Finished, flowcage

MARK = b"\xef\xbb\xbf"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.js").write_text("export default args")
    (tmp_path / "text").write_bytes("two\r\nlinés\n".encode())
    (tmp_path / "marked").write_bytes(MARK + b'{"n": 1}')
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "twice").write_text('{"a": 1, "a": 2}')
    return tmp_path


def run(folder: Path, *words: str, stdin: bytes = b"") -> Finished:
    return flowcage("run", "w.js", "--no-store", *words, cwd=folder, stdin=stdin)


@pytest.mark.parametrize(
    ("words", "args"),
    [
        (("--args", "@marked"), {"n": 1}),
        (("--args", "-"), {"of": "stdin"}),
        (("--args", "@-"), {"of": "stdin"}),
        (("--arg", "a=@text"), {"a": "two\r\nlinés\n"}),
        (("--arg", "a=-"), {"a": '{"of": "stdin"}'}),
        (("--arg", "a=@@text", "--arg", "b=@@"), {"a": "@text", "b": "@"}),
        (("--arg", "a=--", "--arg", "b=x@y", "--arg", "c="), {"a": "--", "b": "x@y", "c": ""}),
        (("--arg-json", "a=[1, null]", "--arg", "b=1"), {"a": [1, None], "b": "1"}),
        (("--arg-json", "a=@marked"), {"a": {"n": 1}}),
        (("--arg-json", "a=-"), {"a": {"of": "stdin"}}),
    ],
)
def test_args_come_from_files_and_stdin(folder: Path, words: tuple[str, ...], args: object) -> None:
    assert run(folder, *words, stdin=b'{"of": "stdin"}').json["result"] == args


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--arg", "a=@ada"), "--arg a @ada: cannot be read: No such file or directory; for a text that "
         "begins with @ write @@ada"),
        (("--args", "@"), "--args @: cannot be read"),
        (("--arg", "a=@latin"), "--arg a @latin: not UTF-8 (byte 0xe9 at offset 3)"),
        (("--args", "@text"), "--args @text is not JSON: "),
        (("--args", "@twice"), "--args @twice: a is given twice, as 1 and as 2"),
        (("--arg-json", "a=yes"), "--arg-json a is not JSON: "),
        (("--arg-json", "a"), "--arg-json a: expected NAME=JSON, such as --arg-json count=3"),
        (("--arg-json", "a=1", "--arg-json", "a=2"), "--arg-json a is given twice, as 1 and as 2"),
        (("--arg-json", "a=1", "--arg", "a=2"), "--arg and --arg-json both give a; give it once"),
        (("--arg-json", "a=1", "--args", "{}"), "give one of --args, --args-file and --arg"),
        (("--arg", "a=-", "--arg-json", "b=-"), "only one of --arg a and --arg-json b can be '-'"),
        (("--arg", "a=@/dev/zero"), "--arg a @/dev/zero: longer than 8388608 bytes"),
        (("--events", "text", "--arg", "a=@text"), "is the same file as --arg a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(folder: Path, words: tuple[str, ...], told: str) -> None:
    finished = run(folder, *words)
    assert (finished.status, finished.stdout) == (2, "")
    assert told in finished.stderr


def test_stdin_of_a_plan_is_read_once(folder: Path) -> None:
    words = ("run", "-", "--plan", "--args", "-")
    told = flowcage(*words, cwd=folder, stdin=b"return 1").stderr
    assert "only one of FILE and --args can be '-': stdin is read once" in told


def test_a_fork_takes_them_too(folder: Path) -> None:
    store = ("--store", str(folder / "runs.db"))
    (folder / "w.js").write_text("return {args, said: await agent('a')}")
    (folder / "answer").write_text('"from a file"')
    flowcage("run", "w.js", *store, cwd=folder)
    words = ("fork", "@last", "--arg", "a=@text", "--arg-json", "b=-", "--answer", "1=@answer")
    result = flowcage(*words, *store, cwd=folder, stdin=b"[2]").json["result"]
    assert result == {"args": {"a": "two\r\nlinés\n", "b": [2]}, "said": "from a file"}
    refused = flowcage("resume", "@last", "--arg-json", "b=2", *store, cwd=folder)
    assert "these options need an edited SCRIPT" in refused.stderr


def test_a_reason_may_stand_in_a_file(folder: Path) -> None:
    store = ("--store", str(folder / "runs.db"))
    (folder / "w.js").write_text("return await SW.extra.ask('who?')")
    run_id = json.loads(flowcage("run", "--detach", "w.js", *store, cwd=folder).stdout)["runId"]
    (folder / "why").write_text("no longer needed")
    assert flowcage("cancel", run_id, "--wait", "--reason", "@why", *store, cwd=folder).status == 0
    assert "no longer needed" in flowcage("show", run_id, *store, cwd=folder).stdout
    assert "--reason @none: cannot be read" in flowcage("cancel", run_id, "--reason", "@none", *store).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("check", "pipe"),
        ("graph", "pipe"),
        ("run", "pipe", "--no-store", "--agent", "mock"),
        ("run", "w.js", "--no-store", "--arg", "a=@pipe"),
    ],
    ids=" ".join,
)
def test_whoever_names_a_pipe_is_told_that_it_is_waited_for(folder: Path, words: tuple[str, ...]) -> None:
    os.mkfifo(folder / "pipe")
    command = subprocess.Popen([FLOWCAGE, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with command:
        assert command.stderr is not None
        first = command.stderr.readline().decode()
        assert "pipe: a named pipe; waiting for what is written to it" in first
        (folder / "pipe").write_text("export default 1")
        command.communicate(timeout=DEADLINE)
        assert command.returncode == 0


def test_a_shells_substitution_is_not_told(folder: Path) -> None:
    told = subprocess.run(
        ["bash", "-c", f"{FLOWCAGE} check <(echo 'return 1')"], capture_output=True, cwd=folder, check=False
    )
    assert (told.returncode, told.stderr) == (0, b"")
