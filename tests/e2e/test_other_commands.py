"""``flowcage doctor``, and what every command shares."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from flowcage.host.cli.main import cli

from .command import FLOWCAGE, flowcage

pytestmark = pytest.mark.executed


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


def test_the_help_has_every_command_in_a_line_of_its_own_and_the_first_steps_first() -> None:
    told = flowcage("--help").stdout
    listed = re.findall(r"^  ([a-z]+) +\S", told.partition("Run a workflow:")[2], re.MULTILINE)
    assert listed[:2] == ["run", "check"]
    assert sorted(listed) == sorted(cli.commands)
    assert "..." not in told.partition("Options:")[2]


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
