"""Workflows by name on the command line, and what is said where there is none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .command import DEADLINE, FLOWCAGE, flowcage

PLACES = [".", "workflows", ".flowcage/workflows", ".claude/workflows"]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of somebody who has workflows of their own."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    settings = folder / ".config" / "flowcage" / "flowcage.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('agent = "mock"')
    return folder


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


@pytest.mark.parametrize("place", [".config/flowcage/workflows", ".claude/workflows"])
def test_the_users_own_come_last_and_may_be_links(tmp_path: Path, home: Path, place: str) -> None:
    put(home, f"{place}/own.js", f"{place}/review.js", "elsewhere/linked.js")
    (home / place / "linked.js").symlink_to(home / "elsewhere" / "linked.js")
    put(tmp_path, "workflows/review.js")
    assert result_of(tmp_path, "own") == f"{place}/own.js"
    assert result_of(tmp_path, "linked") == "elsewhere/linked.js"
    assert result_of(tmp_path, "review") == "workflows/review.js"


def test_folders_of_the_project_above_are_looked_in(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    put(tmp_path / "project", ".claude/workflows/top.js", "src/workflows/near.js", "beside.js")
    put(tmp_path, "workflows/outside.js")
    assert result_of(inner, "top") == ".claude/workflows/top.js"
    assert result_of(inner, "near") == "src/workflows/near.js"
    for name in ("beside", "outside"):
        assert f"{name}: no such file" in flowcage("run", name, cwd=inner).stderr


@pytest.mark.parametrize("command", ["run", "check", "graph"])
def test_a_link_out_of_the_project_is_not_followed_by_name(tmp_path: Path, command: str) -> None:
    put(tmp_path, "secret.js", "project/inside.js")
    (tmp_path / "project" / "workflows").mkdir()
    for name, target in (("out", "secret.js"), ("in", "project/inside.js")):
        (tmp_path / "project" / "workflows" / f"{name}.js").symlink_to(tmp_path / target)
    refused = flowcage(command, "out", cwd=tmp_path / "project")
    assert refused.status == 2
    assert f"workflows/out.js, a symbolic link that leads out of the project, to {tmp_path}/secret.js" in (
        refused.stderr
    )
    for word in ("in", "workflows/out.js"):
        assert flowcage(command, word, "--help", cwd=tmp_path / "project").status == 0
        assert "symbolic link" not in flowcage(command, word, cwd=tmp_path / "project").stderr


def test_a_folder_that_leads_out_of_the_project_gives_no_names(tmp_path: Path) -> None:
    put(tmp_path, "theirs/x.js")
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    (tmp_path / "project" / ".claude" / "workflows").symlink_to(tmp_path / "theirs")
    assert "leads out of the project" in flowcage("run", "x", cwd=tmp_path / "project").stderr


def test_a_working_folder_that_is_gone_leaves_the_users_own(tmp_path: Path, home: Path) -> None:
    put(home, ".claude/workflows/own.js")
    put(tmp_path, "w.js")
    for word, result in (("own", ".claude/workflows/own.js"), (f"{tmp_path}/w.js", "w.js")):
        gone = tmp_path / "gone"
        gone.mkdir()
        line = f'cd "{gone}" && rmdir "{gone}" && exec "{FLOWCAGE}" run "{word}" --no-store --quiet'
        done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=DEADLINE, check=False)
        assert json.loads(done.stdout)["result"] == result, done.stderr


def test_a_hidden_file_has_no_name(tmp_path: Path) -> None:
    put(tmp_path, "workflows/.secret.js")
    told = flowcage("run", ".secret", cwd=tmp_path).stderr
    assert "./workflows/.secret.js is hidden, and no name finds it: write its path" in told
    assert ".other: no such file\n" in flowcage("run", ".other", cwd=tmp_path).stderr


def test_a_workflow_starts_by_name_what_the_command_line_finds(tmp_path: Path, home: Path) -> None:
    put(home, ".claude/workflows/own.js")
    put(tmp_path, ".flowcage/workflows/kid.js")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "main.js").write_text("return [await workflow('kid'), await workflow('own')]")
    done = flowcage("run", "lib/main.js", "--no-store", cwd=tmp_path)
    assert done.json["result"] == [".flowcage/workflows/kid.js", ".claude/workflows/own.js"]
    confined = flowcage("run", "lib/main.js", "--root", "lib", "--no-store", cwd=tmp_path)
    assert "there is no workflow 'kid'" in confined.stderr


@pytest.mark.parametrize(("options", "found"), [((), True), (("--root", "lib"), False)])
def test_a_fork_finds_by_name_what_its_run_did(tmp_path: Path, options: tuple[str, ...], found: bool) -> None:
    put(tmp_path, ".flowcage/workflows/kid.js")
    (tmp_path / "lib").mkdir()
    source = "const said = await agent('which?'); return said === 'kid' ? await workflow(said) : said"
    (tmp_path / "lib" / "main.js").write_text(source)
    store = ("--store", "runs.db")
    assert flowcage("run", "lib/main.js", *store, *options, cwd=tmp_path).json["result"] == "echo: which?"
    forked = flowcage("fork", "@last", "--answer", '1="kid"', *store, cwd=tmp_path)
    assert ("there is no workflow 'kid'" in forked.stderr) is not found
    assert forked.json.get("result") == (".flowcage/workflows/kid.js" if found else None)


def test_a_home_that_is_the_project_holds_links_of_its_user(tmp_path: Path, home: Path) -> None:
    (home / ".git").mkdir()
    (home / ".claude" / "workflows").mkdir(parents=True)
    (home / "workflows").mkdir()
    put(tmp_path, "elsewhere.js")
    for path in (".claude/workflows/own.js", "workflows/other.js"):
        (home / path).symlink_to(tmp_path / "elsewhere.js")
    assert result_of(home, "own") == "elsewhere.js"
    assert "leads out of the project" in flowcage("run", "other", cwd=home).stderr


def test_workflows_are_listed_with_what_they_do_and_what_they_hide(tmp_path: Path, home: Path) -> None:
    (tmp_path / "workflows").mkdir()
    texts: dict[str, str | bytes] = {
        "said.js": "export const meta = {name: 'x', description: 'Says\\n  so \\x1b[31m'}; return 1",
        "broken.js": "return = 1",
        "twice.js": "return 1", "twice.mjs": "return 1",
        "latin.js": b"\xff", ".hidden.js": "return 1", "notes.txt": "",
    }  # fmt: skip
    for name, text in texts.items():
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "workflows" / name).write_bytes(data)
    (tmp_path / "workflows" / "out.js").symlink_to(home / "said.js")
    (tmp_path / "workflows" / "dangling.js").symlink_to(home / "none")
    put(home, "said.js", ".claude/workflows/said.js", ".claude/workflows/own.js")
    put(tmp_path, "here.js")
    (tmp_path / "webpack.config.js").write_text("module.exports = {}")
    told = flowcage("workflows", "--json", cwd=tmp_path).json
    found = {each["name"]: each for each in told["workflows"]}
    assert list(found) == ["broken", "dangling", "here", "latin", "out", "own", "said", "twice"]
    assert found["said"] == {
        "name": "said", "path": "workflows/said.js", "description": "Says so \x1b[31m", "problem": None,
        "shadowed": [f"{home}/.claude/workflows/said.js"],
    }  # fmt: skip
    assert found["own"]["path"] == f"{home}/.claude/workflows/own.js"
    for name, problem in {
        "broken": "workflows/broken.js:1:8: ",
        "twice": "ambiguous",
        "latin": "workflows/latin.js:1: not UTF-8",
        "out": "leads out of the project",
        "dangling": "leads nowhere",
    }.items():
        assert problem in found[name]["problem"]
        assert flowcage("run", name, cwd=tmp_path).status != 0
    assert told["searched"][:4] == [".", "workflows", ".flowcage/workflows", ".claude/workflows"]
    shown = flowcage("workflows", cwd=tmp_path).stdout
    assert "\x1b" not in shown
    assert f"hides {home}/.claude/workflows/said.js" in shown


def test_a_file_that_is_imported_is_listed_only_where_it_is_a_workflow(tmp_path: Path) -> None:
    texts = {
        "main.mjs": "import { a } from './part.mjs'; import b from './both.mjs'; export default [a, b]",
        "part.mjs": "export const a = 1",
        "both.mjs": "export default 2",
        "lost.mjs": "import './none.mjs'; export default 3",
    }
    (tmp_path / "workflows").mkdir()
    for name, text in texts.items():
        (tmp_path / "workflows" / name).write_text(text)
    found = {
        each["name"]: each["problem"]
        for each in flowcage("workflows", "--json", cwd=tmp_path).json["workflows"]
    }
    assert list(found) == ["both", "lost", "main"]
    assert found["lost"].startswith("workflows/lost.mjs:1:")
    assert (found["both"], found["main"]) == (None, None)


def test_each_row_of_the_list_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, "workflows/a\nflowcage  forged.js", "workflows/größe.js", "workflows/b\x1b[31m.js")
    lines = flowcage("workflows", cwd=tmp_path).stdout.splitlines()
    names = [line.split("  ")[0] for line in lines if not line.startswith(" ")]
    assert names == ["a flowcage forged", "b\N{REPLACEMENT CHARACTER}[31m", "größe"]


def test_where_none_has_a_name_it_is_told_where_was_looked(tmp_path: Path) -> None:
    done = flowcage("workflows", cwd=tmp_path)
    assert (done.status, done.stderr) == (0, "")
    assert "no workflow has a name here: looked in ., workflows, .flowcage/workflows" in done.stdout


def test_where_no_child_can_be_started_names_are_listed_all_the_same(tmp_path: Path) -> None:
    put(tmp_path, "workflows/a.js", "workflows/b.js", "workflows/b.mjs")
    few = "ulimit -n 11; exec"  # what python and trio need, and no pipes beside
    words = ["bash", "-c", f"{few} {FLOWCAGE} workflows --json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=DEADLINE, check=False)
    found = {each["name"]: each for each in json.loads(done.stdout)["workflows"]}
    assert (done.returncode, list(found), found["a"]["problem"]) == (0, ["a", "b"], None)
    assert "ambiguous" in found["b"]["problem"]
    assert b"no file can be read in a cage here, so only names are told: no child" in done.stderr


def test_a_file_that_no_child_takes_leaves_the_others(tmp_path: Path) -> None:
    put(tmp_path, "workflows/a.js")
    # As JSON twice as long.
    (tmp_path / "workflows" / "long.js").write_text("agent('x') //" + '"' * 5_000_000)
    found = {
        each["name"]: each["problem"]
        for each in flowcage("workflows", "--json", cwd=tmp_path).json["workflows"]
    }
    assert found["a"] is None
    assert found["long"].startswith("workflows/long.js:1:1: the workflow cannot be sent")
    checked = flowcage("check", "workflows", "--json", cwd=tmp_path)
    kinds = {each["file"]: [one["kind"] for one in each["findings"]] for each in checked.json["files"]}
    assert (checked.status, kinds["workflows/long.js"]) == (1, ["limit"])
