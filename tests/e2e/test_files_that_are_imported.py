"""Workflows that import files beside them, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import Finished, flowcage

SOURCE = """import { ask } from './lib/ask.mjs';
export const meta = { name: 'w', description: 'd', phases: ['asking'] };
return await ask('one');
"""
LIB = """import { mark } from '../mark.js';
export async function ask(what) {
  phase('asking');
  return agent(what + mark);
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "w.js").write_text(SOURCE)
    (tmp_path / "lib" / "ask.mjs").write_text(LIB)
    (tmp_path / "mark.js").write_text("export const mark = '?';\n")
    return tmp_path


def in_(folder: Path, *words: str | Path) -> Finished:
    return flowcage(*words, cwd=folder)


def test_a_workflow_runs_with_the_files_that_it_imports(folder: Path) -> None:
    done = in_(folder, "run", "w.js", "--agent", "echo", "--store", "runs.db", "--quiet")
    assert (done.status, done.json["result"]) == (0, "echo: one?"), done.stderr
    (folder / "mark.js").unlink()
    done = in_(folder, "replay", "@last", "--store", "runs.db")
    assert (done.status, "is the same" in done.stdout) == (0, True), done.stderr


def test_a_fork_with_an_edited_file_reads_its_imports_anew(folder: Path) -> None:
    in_(folder, "run", "w.js", "--agent", "echo", "--store", "runs.db", "--quiet")
    (folder / "mark.js").write_text("export const mark = '!';\n")
    done = in_(folder, "resume", "@last", "w.js", "--store", "runs.db", "--quiet")
    assert (done.status, done.json["result"]) == (0, "echo: one!"), done.stderr
    done = in_(folder, "fork", "@last", "--store", "runs.db", "--quiet")
    assert done.json["result"] == "echo: one!", "without a file, the run's own"


def test_a_plan_knows_the_calls_in_other_files(folder: Path) -> None:
    done = in_(folder, "run", "--plan", "--json", "w.js")
    assert done.status == 0, done.stderr
    assert [(each["phase"], each["answer"]) for each in done.json["calls"]] == [("asking", "stub")]


def test_a_graph_takes_a_source_that_imports(folder: Path) -> None:
    done = in_(folder, "graph", "w.js")
    assert (done.status, done.stdout.startswith("flowchart")) == (0, True), done.stderr
    assert "is not drawn" in done.stderr


def test_stdin_imports_from_the_working_folder(folder: Path) -> None:
    done = flowcage("run", "-", "--agent", "echo", "--no-store", "--quiet", cwd=folder, stdin=SOURCE.encode())
    assert done.json["result"] == "echo: one?", done.stderr


def test_a_root_lets_imports_lead_out_of_the_folder_of_the_workflow(folder: Path) -> None:
    (folder / "flows").mkdir()
    (folder / "flows" / "w.js").write_text(SOURCE.replace("./lib", "../lib"))
    done = in_(folder, "run", "flows/w.js", "--agent", "echo", "--no-store", "--quiet")
    assert done.status == 2
    assert "w.js:1:21: import of '../lib/ask.mjs': lies outside the root folder" in done.stderr
    done = in_(folder, "run", "flows/w.js", "--root", ".", "--agent", "echo", "--no-store", "--quiet")
    assert done.json["result"] == "echo: one?", done.stderr


def test_an_error_shows_the_line_of_the_file_that_it_is_in(folder: Path) -> None:
    (folder / "lib" / "ask.mjs").write_text("export const ask = 1;\nexport const b = ;\n")
    done = flowcage("run", folder / "w.js", "--no-store")
    assert done.status == 1
    assert f"{folder}/lib/ask.mjs:2:18: SyntaxError" in done.stderr
    assert "\n  export const b = ;\n                   ^" in done.stderr


# ---- check -----------------------------------------------------------------------------------


def test_a_check_reads_the_files_too_and_each_finding_is_at_its_own(folder: Path) -> None:
    (folder / "mark.js").write_text("export const mark = '?';\nagent('nobody waits');\n")
    done = in_(folder, "check", "--json", "w.js")
    assert done.status == 0, done.stderr
    found = {each["file"]: each["findings"] for each in done.json["files"]}
    assert list(found) == ["w.js", "lib/ask.mjs", "mark.js"]
    assert [each["kind"] for each in found["mark.js"]] == ["unawaited_call"]
    assert "sourceName" not in found["mark.js"][0]
    assert found["w.js"] == found["lib/ask.mjs"] == [], "the phase is begun in the other file"


def test_a_folder_is_checked_with_modules_as_modules(folder: Path) -> None:
    done = in_(folder, "check", ".")
    assert done.status == 0, done.stdout
    assert "3 files: 0 errors" in done.stdout


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "w.js",
            "import './gone.mjs';\nreturn 1;\n",
            "w.js:1:8: error: import of './gone.mjs': gone.mjs: no",
        ),
        ("mark.js", "import './gone.mjs';\n", "mark.js:1:8: error: import of './gone.mjs': gone.mjs: no"),
        ("mark.js", "export const marks = 1;\n", "lib/ask.mjs:1:10: error: Could not find export 'mark'"),
        ("mark.js", "export const mark = ;\n", "mark.js:1:21: error: unexpected token"),
    ],
)
def test_what_cannot_be_imported_is_an_error_at_its_place(
    folder: Path, name: str, text: str, told: str
) -> None:
    (folder / name).write_text(text)
    done = in_(folder, "check", "w.js")
    assert done.status == 1
    assert done.stdout.startswith(told), done.stdout


def test_a_root_holds_for_check_and_graph_too(folder: Path) -> None:
    (folder / "flows").mkdir()
    (folder / "flows" / "w.js").write_text(SOURCE.replace("./lib", "../lib"))
    done = in_(folder, "check", "--json", "flows/w.js")
    assert done.status == 1
    assert done.json["files"][0]["findings"][0]["message"].endswith("lies outside the root folder")
    done = in_(folder, "check", "--json", "--root", ".", "flows/w.js")
    assert done.status == 0, done.stdout
    assert [each["file"] for each in done.json["files"]] == ["flows/w.js", "lib/ask.mjs", "mark.js"]
    assert in_(folder, "graph", "--root", ".", "flows/w.js").status == 0
