"""Mistakes of somebody who uses the command for the first time: each is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import EXAMPLES, flowcage


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


def test_an_address_that_is_none_is_told_as_one(tmp_path: Path) -> None:
    finished = flowcage("ui", "--host", "256.1.1.1", "--store", tmp_path / "runs.db")
    assert finished.status == 2
    assert finished.stderr == "flowcage: --host 256.1.1.1: this machine has no such name or address\n"
