"""``flowcage check`` and ``flowcage doctor``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .command import EXAMPLES, FLOWCAGE, flowcage


def test_check_shows_dialect_meta_and_phases_of_a_script() -> None:
    checked = flowcage("check", EXAMPLES / "review.js").json
    assert checked["dialect"] == "script"
    assert checked["meta"]["name"] == "review"
    assert [phase["title"] for phase in checked["phases"]] == ["Review", "Verify", "Sum up"]


def test_check_shows_a_module_and_runs_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "w.js"
    path.write_text('export const meta = {name: "n"};\nfor (;;);\nexport default agent("never")')
    finished = flowcage("check", path)
    assert finished.status == 0
    assert finished.json == {"dialect": "module", "meta": {"name": "n"}, "phases": []}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("export default (", ":1:"),
        ("const a = 1;\nreturn a +;", ":2:"),
        ("export const meta = {\n  name: compute(),\n};\nexport default 1", ":2:9"),
        ('import fs from "fs";\nexport default 1', "imports are restricted"),
    ],
)
def test_check_says_where_a_workflow_is_wrong(tmp_path: Path, source: str, place: str) -> None:
    path = tmp_path / "w.js"
    path.write_text(source)
    finished = flowcage("check", path)
    assert finished.status == 1
    assert place in finished.stderr


def test_check_of_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    assert flowcage("check", tmp_path / "none.js").status == 2


def test_doctor_names_python_engine_build_and_every_isolation_layer() -> None:
    finished = flowcage("doctor")
    assert finished.status == 0
    for word in ("python:", "engine:", "quickjs-ng 0.17", "cage memory:", "cage seccomp:", "agent mock:"):
        assert word in finished.stdout


@pytest.mark.parametrize("command", ["run", "check", "doctor", "types"])
def test_every_command_explains_itself(command: str) -> None:
    finished = flowcage(command, "--help")
    assert finished.status == 0
    assert "Usage:" in finished.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    finished = flowcage("fly")
    assert finished.status == 2
    assert "fly" in finished.stderr


def test_a_reader_of_stdout_that_leaves_early_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "w.js"
    path.write_text('export default "x".repeat(1e6)')
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run([FLOWCAGE, "run", path], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert b"Traceback" not in process.stderr
    assert b"Exception ignored" not in process.stderr
    assert process.returncode == 125
