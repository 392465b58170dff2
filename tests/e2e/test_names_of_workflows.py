"""Workflows by name on the command line, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import flowcage

PLACES = [".", "workflows", ".claude/workflows"]


def put(folder: Path, *paths: str) -> None:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"export const meta = {{ name: 'w' }}\nlog('asks')\nreturn '{path}'")


def result_of(folder: Path, name: str) -> str:
    return str(flowcage("run", name, "--no-store", cwd=folder).json["result"])


@pytest.mark.parametrize("suffix", [".js", ".mjs"])
@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_found_in_each_folder(tmp_path: Path, place: str, suffix: str) -> None:
    put(tmp_path, f"{place}/review{suffix}")
    assert result_of(tmp_path, "review") == f"{place}/review{suffix}"


def test_the_nearest_folder_comes_first_and_a_file_as_typed_before_it(tmp_path: Path) -> None:
    put(tmp_path, ".claude/workflows/review.js", "workflows/review.js")
    assert result_of(tmp_path, "review") == "workflows/review.js"
    put(tmp_path, "review.js")
    assert result_of(tmp_path, "review") == "review.js"
    put(tmp_path, "review")
    assert result_of(tmp_path, "review") == "review"


def test_a_folder_of_that_name_is_no_workflow_but_can_be_checked(tmp_path: Path) -> None:
    put(tmp_path, "review/inner.js", "workflows/review.js")
    assert result_of(tmp_path, "review") == "workflows/review.js"
    checked = flowcage("check", "review", "--json", cwd=tmp_path).json
    assert [each["file"] for each in checked["files"]] == ["review/inner.js"]


@pytest.mark.parametrize(
    "words", [("check", "--json"), ("graph", "--format", "json"), ("run", "--plan", "--agent", "mock")]
)
def test_other_commands_take_names(tmp_path: Path, words: tuple[str, ...]) -> None:
    put(tmp_path, "workflows/review.js")
    finished = flowcage(*words, "review", cwd=tmp_path)
    assert (finished.status, finished.stderr.count("no such file")) == (0, 0)


def test_an_edited_script_may_be_named(tmp_path: Path) -> None:
    put(tmp_path, "workflows/review.js", "workflows/other.js")
    store = ("--store", tmp_path / "runs.db")
    flowcage("run", "review", *store, cwd=tmp_path)
    assert flowcage("fork", "@last", "other", *store, cwd=tmp_path).json["result"] == "workflows/other.js"


@pytest.mark.parametrize("command", ["run", "check", "graph"])
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("reviw", "did you mean 'review'?"),
        ("unlike", "the workflows there are research, review"),
        ("review.js", "review.js: no such file; there is workflows/review.js"),
        ("reviw.js", "reviw.js: no such file; did you mean 'workflows/review.js'?"),
        ("workflows/reviw.js", "did you mean 'workflows/review.js'?"),
        ("none/reviw.js", "none/reviw.js: no such file\n"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(tmp_path: Path, command: str, typed: str, told: str) -> None:
    put(tmp_path, "workflows/review.js", "workflows/research.js")
    finished = flowcage(command, typed, cwd=tmp_path)
    assert (finished.status, finished.stdout) == (2, "")
    assert told in finished.stderr


def test_a_folder_in_the_place_of_a_workflow_tells_what_is_in_it(tmp_path: Path) -> None:
    put(tmp_path, *(f"scripts/w{number}.js" for number in range(9)), "scripts/notes.txt")
    finished = flowcage("run", "scripts", cwd=tmp_path)
    assert finished.status == 2
    assert "scripts: is a folder; name a workflow file; in it are w0.js, w1.js" in finished.stderr
    assert finished.stderr.endswith("w7.js and 1 more\n")


def test_two_files_of_a_name_in_one_folder_are_ambiguous(tmp_path: Path) -> None:
    put(tmp_path, "workflows/review.js", "workflows/review.mjs")
    finished = flowcage("run", "review", cwd=tmp_path)
    assert finished.status == 2
    assert "there are workflows/review.js and workflows/review.mjs; name one" in finished.stderr
