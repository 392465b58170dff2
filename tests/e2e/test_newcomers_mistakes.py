"""Mistakes of somebody who uses the command for the first time: each is told with what to do."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from subprocess import PIPE

import pytest

from .command import EXAMPLES, FLOWCAGE, flowcage


def test_a_plan_of_a_script_that_is_no_javascript_is_its_error_alone(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("await agent(")
    finished = flowcage("run", "w.js", "--plan", "--agent", "mock", cwd=tmp_path)
    assert (finished.status, finished.stdout) == (1, "")
    assert "flowcage: w.js:1:13: SyntaxError" in finished.stderr
    assert "--fixtures" not in finished.stderr


@pytest.mark.parametrize("ending", [".png", ".PDF"])
@pytest.mark.parametrize("words", [("graph", EXAMPLES / "review.js"), ("report", "@last")])
def test_a_file_that_is_called_a_picture_is_not_written_as_text(
    words: tuple[str, str], ending: str, tmp_path: Path
) -> None:
    finished = flowcage(*words, "-o", f"x{ending}", cwd=tmp_path)
    assert finished.status == 2
    assert f"-o x{ending}: no {ending.lower()} is written here; use another ending" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ctrl_c_has_ended_is_told_as_interrupted_by_ls(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("log('sleeps')\nawait SW.extra.sleep(3_600_000)")
    store = ["--store", str(tmp_path / "runs.db")]
    with subprocess.Popen([FLOWCAGE, "run", "w.js", *store], cwd=tmp_path, stderr=PIPE, text=True) as run:
        assert run.stderr is not None
        assert any("sleeps" in line for line in run.stderr)
        run.send_signal(signal.SIGINT)
        run.stderr.read()
    assert run.returncode == 130

    (kept,) = flowcage("ls", *store, "--json").json
    told = flowcage("ls", *store).stderr
    assert told == f"flowcage: 1 run was interrupted; go on with: flowcage resume {kept['runId']}\n"


@pytest.mark.parametrize("command", ["show", "report", "logs", "result", "wait", "watch", "resume", "fork"])
def test_a_run_that_is_not_there_is_told_with_where_to_look(command: str, tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return 1")
    store = ["--store", str(tmp_path / "runs.db")]
    assert flowcage("run", "w.js", *store, cwd=tmp_path).status == 0
    finished = flowcage(command, "@frist", *store, cwd=tmp_path)
    assert (finished.status, finished.stdout) == (2, "")
    expected = "flowcage: the store has no run '@frist'; flowcage ls lists those that it has\n"
    assert finished.stderr == expected


def test_an_address_that_is_none_is_told_as_one(tmp_path: Path) -> None:
    finished = flowcage("ui", "--host", "256.1.1.1", "--store", tmp_path / "runs.db")
    assert finished.status == 2
    assert finished.stderr == "flowcage: --host 256.1.1.1: this machine has no such name or address\n"


def test_a_file_of_a_folder_that_is_no_text_does_not_keep_the_others_from_being_checked(
    tmp_path: Path,
) -> None:
    (tmp_path / "binary.js").write_bytes(b"\xff\xfe")
    (tmp_path / "good.js").write_text("return agent('x')")
    finished = flowcage("check", ".", cwd=tmp_path)
    assert (finished.status, finished.stdout) == (2, "1 file: 0 errors, 0 warnings, 0 notes\n")
    assert finished.stderr.startswith("flowcage: binary.js:1: not UTF-8 (byte 0xff at offset 0)")
