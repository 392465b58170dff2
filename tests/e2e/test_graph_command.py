"""``flowcage graph``: formats, files, and what it says where there is nothing to draw."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from .command import EXAMPLES, flowcage


def test_a_workflow_is_drawn_as_a_flowchart() -> None:
    finished = flowcage("graph", EXAMPLES / "review.js")
    assert finished.status == 0
    lines = finished.stdout.splitlines()
    assert lines[0] == "flowchart TD"
    assert '  subgraph n1["Phase Review"]' in lines
    assert any("pipeline of findings, depends on answers" in line for line in lines)


@pytest.mark.parametrize("words", [("--format", "svg"), ()])
def test_a_picture_goes_to_a_file(tmp_path: Path, words: tuple[str, ...]) -> None:
    finished = flowcage("graph", EXAMPLES / "review.js", *words, "-o", tmp_path / "w.SVG")
    assert (finished.status, finished.stdout) == (0, "")
    root = ElementTree.parse(tmp_path / "w.SVG").getroot()
    assert "Verify" in [each.text for each in root.iter() if each.tag.endswith("text")]


def test_the_outline_itself_is_json() -> None:
    told = flowcage("graph", EXAMPLES / "review.js", "--format", "json").json
    assert [call["label"] for call in told["calls"]] == ["review:${…}", "verify:${…}", "summary"]


def test_a_workflow_may_be_stdin_and_nothing_of_it_runs() -> None:
    finished = flowcage("graph", "-", stdin=b"for (;;);\nexport default () => agent('hello')")
    assert finished.status == 0
    assert '["hello"]' in finished.stdout


def test_what_does_not_compile_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("agent('a')\nreturn )")
    finished = flowcage("graph", "w.js", cwd=tmp_path)
    assert (finished.status, finished.stdout) == (1, "")
    assert "w.js:2" in finished.stderr


def test_a_file_that_was_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("agent('a')\nreturn 1")
    finished = flowcage("graph", "w.js", "-o", "w.js", cwd=tmp_path)
    assert finished.status == 2
    assert "would be overwritten" in finished.stderr
    assert (tmp_path / "w.js").read_text() == "agent('a')\nreturn 1"


def test_files_that_cannot_be_used_are_usage_errors(tmp_path: Path) -> None:
    assert flowcage("graph", tmp_path / "none.js").status == 2
    finished = flowcage("graph", EXAMPLES / "review.js", "-o", tmp_path / "none" / "w.svg")
    assert finished.status == 2
    assert "cannot be written" in finished.stderr
