"""``flowcage init``, and what it writes."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from pathlib import Path

import pytest

from flowcage.host.agents.types.front_matter import read_page
from flowcage.host.cli.main import cli
from flowcage.host.cli.setup.settings_file import read_settings

from .command import DEADLINE, FLOWCAGE, flowcage

FILES = ["flowcage.toml", ".flowcage/workflows/example.js", ".claude/skills/flowcage/SKILL.md"]
SKILL = FILES[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert flowcage("init", cwd=tmp_path).status == 0
    return tmp_path


def test_it_says_what_it_wrote_and_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "flowcage.toml").write_text("mine")
    first = flowcage("init", cwd=tmp_path)
    assert (first.status, first.stderr) == (0, "")
    assert f"wrote {FILES[1]}\nwrote {FILES[2]}\nleft alone flowcage.toml, which is there" in first.stdout
    assert "next:\nflowcage check example\n" in first.stdout
    assert (tmp_path / "flowcage.toml").read_text() == "mine"
    (tmp_path / FILES[1]).write_text("changed")
    again = flowcage("init", "--json", cwd=tmp_path)
    assert again.json == {"wrote": [], "leftAlone": FILES}
    assert (tmp_path / FILES[1]).read_text() == "changed"


def test_another_folder_may_be_named_and_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    told = flowcage("init", "sub", cwd=tmp_path).stdout
    assert "wrote sub/flowcage.toml" in told
    assert "next, in sub:" in told
    assert flowcage("init", "none", cwd=tmp_path).status == 2


@pytest.mark.parametrize("link", [".claude", ".claude/skills/flowcage"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    theirs, project = tmp_path / "theirs", tmp_path / "project"
    theirs.mkdir()
    (project / link).parent.mkdir(parents=True)
    (project / link).symlink_to(theirs)
    (project / "flowcage.toml").symlink_to(theirs / "new.toml")
    done = flowcage("init", cwd=project)
    assert done.status == 2
    assert f"{SKILL}: cannot be written: {Path(link).name} is a symbolic link or no folder" in done.stderr
    assert f"wrote {FILES[1]}" in done.stdout
    assert "left alone flowcage.toml" in done.stdout
    assert "next:" not in done.stdout
    assert list(theirs.iterdir()) == []


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [FLOWCAGE, "init"], cwd=tmp_path, preexec_fn=limit, capture_output=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count(b"cannot be written: File too large") == len(FILES)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_settings_are_read_and_say_nothing(project: Path) -> None:
    path = project / "flowcage.toml"
    settings = read_settings(path, follows_links=False)
    assert (settings.agent, dict(settings.models), settings.routes) == (None, {}, ())
    # Without the hashes of what is set, it is a file of settings all the same.
    text = re.sub(r"(?m)^# (?=\[|[a-zA-Z]+ = )", "", path.read_text())
    (project / "all.toml").write_text(text)
    said = read_settings(project / "all.toml", follows_links=False)
    assert (said.agent, said.agents["claude"]["timeout"]) == ("claude", 1800)
    assert said.routes[0]["agent"] == "claude:small"


def test_the_example_is_found_has_no_findings_and_runs(project: Path) -> None:
    listed = flowcage("workflows", "--json", cwd=project).json["workflows"]
    assert [(each["name"], each["problem"]) for each in listed] == [("example", None)]
    checked = flowcage("check", "--strict", "--json", "example", cwd=project)
    assert (checked.status, checked.json["files"][0]["findings"]) == (0, [])
    done = flowcage("run", "example", "--agent", "mock", "--no-store", cwd=project)
    assert done.status == 0
    assert len(done.json["result"]["answers"]) == 3
    asked = flowcage("run", "example", "--arg-json", 'views=["a"]', "--no-store", cwd=project)
    assert [each["view"] for each in asked.json["result"]["answers"]] == ["a"]


def test_the_skill_has_a_name_and_tells_when_it_is_of_use(project: Path) -> None:
    page = read_page((project / SKILL).read_text())
    assert page.matter["name"] == "flowcage"
    assert "Use when" in str(page.matter["description"])
    assert len(str(page.matter["description"])) < 1024


def test_the_script_of_the_skill_has_no_findings_and_runs(project: Path) -> None:
    (script,) = re.findall(r"```js\n(.*?)```", (project / SKILL).read_text(), re.DOTALL)
    (project / "skill.js").write_text(script)
    assert flowcage("check", "--strict", "skill.js", cwd=project).status == 0
    args = json.dumps(["a.js", "b.js"])
    done = flowcage("run", "skill.js", "--arg-json", f"files={args}", "--no-store", cwd=project)
    assert done.json["verdict"] == "completed"


def test_the_commands_of_the_skill_do_what_they_say(project: Path) -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", (project / SKILL).read_text(), re.DOTALL)
    for line in commands.splitlines():
        words = line.partition("#")[0].split()
        assert words[0] == "flowcage"
        assert flowcage(*words[1:], cwd=project).status == 0, line


def test_the_skill_names_options_that_there_are(project: Path) -> None:
    blocks = re.findall(r"```text\n(.*?)```", (project / SKILL).read_text(), re.DOTALL)
    lines = [line.partition("#")[0].split() for block in blocks for line in block.splitlines()]
    assert len(lines) > 8
    for _flowcage, command, *words in lines:
        known = {option for param in cli.commands[command].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known, command


def test_it_writes_with_the_permissions_of_the_user(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        subprocess.run(
            [FLOWCAGE, "init"], cwd=tmp_path, stdout=subprocess.DEVNULL, timeout=DEADLINE, check=True
        )
    finally:
        os.umask(umask)
    assert {(tmp_path / path).stat().st_mode & 0o777 for path in FILES} == {0o600}
