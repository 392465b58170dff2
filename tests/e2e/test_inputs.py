"""What ``flowcage run`` reads: from files and stdin, with marks of other systems, under names of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from .command import DEADLINE, FLOWCAGE, Finished, flowcage

MARK = b"\xef\xbb\xbf"
MEBIBYTE = 1024 * 1024


def with_stdin(text: bytes, *words: str | Path, cwd: Path) -> Finished:
    return flowcage(*words, cwd=cwd, stdin=text)


@pytest.mark.parametrize("mark", [b"", MARK])
@pytest.mark.parametrize("from_stdin", ["w.js", "a.json", "l.json", None])
def test_each_file_may_be_stdin_and_begin_with_a_byte_order_mark(
    tmp_path: Path, from_stdin: str | None, mark: bytes
) -> None:
    texts = {
        "w.js": b"try { await SW.extra.sleep(7) } catch { log('too long') } return args",
        "a.json": '{"a": "é"}\r\n'.encode(),
        "l.json": b'{"maxSleepMs": 6}',
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(mark + text)
    w, a, limits = ("-" if name == from_stdin else name for name in texts)
    stdin = mark + texts.get(from_stdin or "", b"")
    finished = with_stdin(stdin, "run", w, "--args-file", a, "--limits", limits, cwd=tmp_path)
    assert finished.json["result"] == {"a": "é"}
    assert "too long" in finished.stderr


def test_check_reads_stdin_and_calls_it_so(tmp_path: Path) -> None:
    assert (
        with_stdin(b"return 1", "check", "--json", "-", cwd=tmp_path).json["files"][0]["dialect"] == "script"
    )
    finished = with_stdin(b"return = 1", "run", "-", cwd=tmp_path)
    assert finished.stderr.startswith("flowcage: <stdin>:1:8: SyntaxError")


def test_a_workflow_from_stdin_starts_children_below_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("export default 'kid'")
    assert with_stdin(b"return workflow('kid')", "run", "-", cwd=tmp_path).json["result"] == "kid"


def test_a_stdin_that_is_closed_is_told() -> None:
    words = f'"{FLOWCAGE}" run - <&-'
    done = subprocess.run(["sh", "-c", words], capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr) == (2, b"flowcage: FILE -: stdin is closed\n")


def test_a_mark_of_utf_16_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_bytes("export default 1".encode("utf-16"))
    assert "w.js:1: not UTF-8 (byte 0xff at offset 0)" in flowcage("run", "w.js", cwd=tmp_path).stderr


@pytest.mark.parametrize("option", ["--args-file", "--limits"])
def test_a_limit_or_an_argument_named_twice_in_one_file_is_told(tmp_path: Path, option: str) -> None:
    (tmp_path / "w.js").write_text("return 1")
    (tmp_path / "twice.json").write_text('{"cpuSeconds": 1, "cpuSeconds": 2}')
    finished = flowcage("run", "w.js", option, "twice.json", cwd=tmp_path)
    assert finished.status == 2
    assert f"{option} twice.json: cpuSeconds is given twice, as 1 and as 2" in finished.stderr


def test_a_source_of_a_mebibyte_is_read(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("//" + "x" * (MEBIBYTE - 2))
    finished = flowcage("check", "w.js", cwd=tmp_path)
    assert finished.status != 2, finished.stderr  # what the child makes of it is its own affair


@pytest.mark.parametrize("typed", ["{folder}/sub/w.js", "sub/w.js", "./sub/../sub/w.js"])
def test_a_workflow_is_told_its_path_below_the_root_and_the_user_what_was_typed(
    tmp_path: Path, typed: str
) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "w.js"
    name = typed.format(folder=tmp_path)
    events = tmp_path / "events.jsonl"

    path.write_text("const f = () => new Error('x').stack;\nreturn f()")
    words: list[str | Path] = ["run", name, "--events", events, "--root"]
    for root, below in ((tmp_path, "sub/w.js"), (tmp_path / "sub", "w.js"), ("/usr", "w.js")):
        stack = flowcage(*words, root, cwd=tmp_path).json["result"]
        assert re.search(rf"\({below}:1:\d+\)", stack), stack
        assert str(tmp_path) not in stack
        assert json.loads(events.read_text().splitlines()[0])["sourceName"] == below

    path.write_text("const f = () => { throw new Error('boom') };\nf(); return 1")
    stderr = flowcage("run", name, cwd=tmp_path).stderr
    assert re.search(rf"at f \({re.escape(str(Path(name)))}:1:\d+\)", stderr), stderr


def test_a_run_with_lost_agents_warns_also_when_it_fails_and_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("await parallel([() => agent('a')]); throw new Error('boom')")
    finished = flowcage("run", "--quiet", "w.js", "--agent", "command:false", cwd=tmp_path)
    assert "boom" in finished.stderr.splitlines()[0]
    assert finished.stderr.splitlines()[-1].startswith("flowcage: note: 1 of 1 agent calls failed")


@pytest.mark.parametrize("option", ["--agent-timeout", "--timeout"])
def test_figures_have_no_more_than_microseconds(tmp_path: Path, option: str) -> None:
    (tmp_path / "w.js").write_text("for (let i = 0; i < 5; i++) await agent('a'); return 1")
    finished = flowcage("run", "w.js", option, "60", "--events", "e", "--quiet", cwd=tmp_path)
    told = finished.stdout + (tmp_path / "e").read_text()
    assert max(len(digits) for digits in re.findall(r"\d\.(\d+)", told)) <= 6
