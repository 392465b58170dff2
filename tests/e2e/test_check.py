"""``flowcage check``: files and folders, the forms of its output, and its exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .command import EXAMPLES, flowcage

GOOD = "export const meta = { name: 'good' };\nreturn await agent('a');\n"
WARNED = "export const meta = { name: 'warned' };\nagent('a');\nreturn 1;\n"
WRONG = "export const meta = { name: 'wrong' };\nreturn Date.now();\n"


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_", ".").replace("node.", "node_")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_workflow_without_mistakes_has_a_line_of_counts_alone() -> None:
    finished = flowcage("check", EXAMPLES / "review.js")
    assert (finished.status, finished.stdout) == (0, "1 file: 0 errors, 0 warnings, 0 notes\n")


def test_json_has_dialect_meta_and_phases_of_a_script() -> None:
    (checked,) = flowcage("check", "--json", EXAMPLES / "review.js").json["files"]
    assert checked["dialect"] == "script"
    assert checked["meta"]["name"] == "review"
    assert [phase["title"] for phase in checked["phases"]] == ["Review", "Verify", "Sum up"]


def test_nothing_of_a_workflow_is_run(tmp_path: Path) -> None:
    written(tmp_path, w_js='export const meta = {name: "n"};\nfor (;;);\nexport default agent("never")')
    finished = flowcage("check", "--json", tmp_path / "w.js")
    assert finished.status == 0
    (checked,) = finished.json["files"]
    assert (checked["dialect"], checked["meta"], checked["phases"]) == ("module", {"name": "n"}, [])


def test_each_finding_is_one_line_with_its_place_sorted_by_file_and_line(tmp_path: Path) -> None:
    written(tmp_path, b_js=WARNED, a_js=WRONG, c_js=GOOD)
    finished = flowcage("check", "b.js", "c.js", "a.js", cwd=tmp_path)
    assert finished.status == 1
    assert finished.stdout.split("\n") == [
        "a.js:2:8: error: a workflow has no Date (`Date.now`) "
        "(a workflow has no clock; pass the time in args) [absent_global]",
        "  return Date.now();",
        "         ^",
        "b.js:2:1: warning: nothing awaits this call of agent() (write `await agent('a')`) [unawaited_call]",
        "3 files: 1 error, 1 warning, 0 notes",
        "",
    ]


@pytest.mark.parametrize(
    ("source", "words", "status"),
    [(GOOD, [], 0), (WARNED, [], 0), (WARNED, ["--strict"], 1), (WRONG, [], 1), ("return = 1", [], 1)],
)
def test_the_exit_status_says_whether_there_are_errors(
    tmp_path: Path, source: str, words: list[str], status: int
) -> None:
    written(tmp_path, w_js=source)
    assert flowcage("check", *words, tmp_path / "w.js").status == status


def test_a_folder_is_searched_for_workflows(tmp_path: Path) -> None:
    written(
        tmp_path,
        a_js=GOOD,
        sub__b_mjs=GOOD,
        _claude__workflows__c_js=GOOD,
        _flowcage__workflows__f_js=GOOD,
        node_modules__d_js=GOOD,
        _git__e_js=GOOD,
        lib_js="export const one = 1;\n",
        types_d_ts="declare function agent(): void;\n",
    )
    finished = flowcage("check", "--json", ".", cwd=tmp_path)
    assert [file["file"] for file in finished.json["files"]] == [
        ".claude/workflows/c.js", ".flowcage/workflows/f.js", "a.js", "sub/b.mjs",
    ]  # fmt: skip
    assert "left out 1 file" in finished.stderr


def test_a_file_that_is_named_twice_is_checked_once(tmp_path: Path) -> None:
    written(tmp_path, w_js=GOOD)
    assert flowcage("check", "w.js", "./w.js", ".", cwd=tmp_path).stdout.startswith("1 file:")


def test_what_does_not_compile_is_a_finding_and_others_are_checked(tmp_path: Path) -> None:
    written(tmp_path, a_js="const a = agent('a');\nreturn a +;", b_js=WARNED)
    files = flowcage("check", "--json", tmp_path).json["files"]
    assert [[finding["kind"] for finding in file["findings"]] for file in files] == [
        ["syntax"], ["unawaited_call"],
    ]  # fmt: skip
    assert files[0]["findings"][0]["line"] == 2
    assert files[0]["dialect"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.js"], "none.js: no such file"),
        (["binary.js"], "binary.js:1: not UTF-8"),
        (["empty"], "empty: there is no workflow"),
        (["-", "-"], "only one of"),
    ],
)
def test_what_cannot_be_checked_is_a_usage_error(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "binary.js").write_bytes(b"\xff")
    (tmp_path / "empty").mkdir()
    finished = flowcage("check", *words, cwd=tmp_path)
    assert (finished.status, finished.stdout) == (2, "")
    assert message in finished.stderr


def test_texts_of_a_source_steer_no_terminal(tmp_path: Path) -> None:
    written(tmp_path, w_js="const o = {};\nreturn await agent(`${o} \u202e${{ '\x1b]0;x\x07': 1 }}`);")
    finished = flowcage("check", tmp_path / "w.js")
    assert "[object_in_prompt]" in finished.stdout
    assert not set("\x1b\x07\u202e") & set(finished.stdout)


def test_sarif_names_rule_level_and_region(tmp_path: Path) -> None:
    written(tmp_path, w_js=WARNED, x_js=WRONG)
    (run,) = json.loads(flowcage("check", "--sarif", ".", cwd=tmp_path).stdout)["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["absent_global", "unawaited_call"]
    first, second = run["results"]
    assert (first["level"], second["level"]) == ("warning", "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "w.js"
    assert place["region"] == {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 11}


def test_a_name_that_is_no_text_has_an_address_in_sarif(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff #.js")).write_text("agent('x');\nreturn 1;")
    result = json.loads(flowcage("check", "--sarif", ".", cwd=tmp_path).stdout)["runs"][0]["results"][0]
    address = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert address == {"uri": "a%FF%20%23.js"}


def test_a_link_that_leads_nowhere_is_not_proposed_in_place_of_itself(tmp_path: Path) -> None:
    (tmp_path / "review.js").symlink_to("gone")
    done = flowcage("check", str(tmp_path / "review.js"))
    assert (done.status, "did you mean" in done.stderr) == (2, False)


def test_a_fence_of_markdown_is_told(tmp_path: Path) -> None:
    written(tmp_path, a_js=f"```js\n{GOOD}```\n", b_js=f"Here it is:\n\n```js\n{GOOD}```\n")
    files = flowcage("check", "--json", "a.js", "b.js", cwd=tmp_path).json["files"]
    assert [file["findings"][0]["line"] for file in files] == [1, 6]
    assert all("a fence of Markdown" in file["findings"][0]["message"] for file in files)


def test_a_run_has_the_findings_as_diagnostics_and_tells_those_that_it_has_not_met(tmp_path: Path) -> None:
    source = "agent('a');\nif (args.never) return Date.now();\nreturn await agent('b');\n"
    written(tmp_path, w_js=f"export const meta = {{ name: 'w' }};\n{source}")
    finished = flowcage("run", tmp_path / "w.js", "--agent", "echo", "--no-store")
    told = {each["kind"]: each.get("line") for each in finished.json["diagnostics"] if "severity" in each}
    assert (finished.status, told) == (0, {"unawaited_call": 2, "absent_global": 3})
    assert "w.js:3:24: a workflow has no Date (`Date.now`); a workflow has no clock" in finished.stderr


def test_types_without_a_compiler_is_a_usage_error(tmp_path: Path) -> None:
    written(tmp_path, w_js=GOOD)
    finished = flowcage("check", "--types", "w.js", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert (finished.status, "--types needs tsc" in finished.stderr) == (2, True)
