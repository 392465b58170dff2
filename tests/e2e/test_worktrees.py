"""``isolation: 'worktree'`` and conversations, from the command line to what is in the repository."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..agents.repositories import git, repository
from .command import FLOWCAGE, Finished, flowcage

AGENT = """
import json, os, subprocess, sys, time
prompt = sys.stdin.read().splitlines()[0]
with open(3, "w") as notes:
    notes.write(json.dumps({"sessionId": "session of " + prompt}) + "\\n")
if prompt.startswith("write"):
    name = prompt.split()[1]
    open(name, "w").write(prompt)
    subprocess.run(["git", "add", name], check=True)
if prompt.startswith("wait"):
    open("waited", "w").write("half")
    print("at work", file=sys.stderr)
    open(os.environ["AT_WORK"], "w").close()
    time.sleep(600)
print(os.environ["FLOWCAGE_SESSION_ID"] or os.path.basename(os.getcwd()))
"""
TWO = """export const meta = {name: 'two'};
return await parallel(['write a.txt', 'read'].map((text, i) =>
  () => agent(text, {label: 'agent ' + i, isolation: 'worktree'})));"""
CONVERSATION = """const {value, handle} = await agent('plan', {handle: true});
return [value, await agent('act', {continue: handle})];"""


class Project:
    """A repository with a workflow, and where flowcage keeps its things."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = repository(path / "project")
        (path / "agent.py").write_text(AGENT)
        self.agent = f"command:{shlex.join([sys.executable, str(path / 'agent.py')])}"
        self.env = {
            "XDG_STATE_HOME": str(path / "state"), "HOME": str(path), "GIT_DIR": str(path / "nowhere"),
            "AT_WORK": str(path / "at-work"),
        }  # fmt: skip

    def words(self, source: str, *more: str) -> list[str]:
        (self.path / "w.js").write_text(source)
        return ["run", str(self.path / "w.js"), "--agent", self.agent, *more]

    def run(self, source: str, *more: str) -> Finished:
        return flowcage(*self.words(source, *more), cwd=self.repository, env=self.env)

    def flowcage(self, *words: str) -> Finished:
        return flowcage(*words, cwd=self.repository, env=self.env)

    def branches(self) -> list[str]:
        return git(self.repository, "branch", "--format=%(refname:short)").split()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def completed(events: Path) -> list[Any]:
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    return [each for each in lines if each["type"] == "agent_completed"]


def test_changes_are_on_a_branch_that_output_events_and_show_name(project: Project, tmp_path: Path) -> None:
    done = project.run(TWO, "--events", str(tmp_path / "events"))
    assert done.status == 0, done.stderr
    run_id = done.json["runId"]
    branch = f"flowcage/{run_id}/agent-0-1"
    assert project.branches() == [branch, "main"]
    assert git(project.repository, "show", f"{branch}:a.txt") == "write a.txt"
    assert not (project.repository / "nowhere").exists()
    assert git(project.repository, "status", "--porcelain") == ""
    wrote, read = sorted(completed(tmp_path / "events"), key=lambda each: each["requestId"])
    assert read["worktree"] is None
    path = wrote["worktree"]["path"]
    assert wrote["worktree"]["branch"] == branch
    assert path.startswith(str(tmp_path / "state"))
    assert done.json["result"] == [Path(path).name, f"{Path(path).name[:-11]}2-1-agent-1"]
    assert f"note: changes of agent 0 are kept in {path}, {branch}" in done.stderr
    assert f"branch {branch}" in project.flowcage("show", run_id).stdout
    shown = project.flowcage("show", run_id, "--agent", "1").stdout
    assert f"worktree  {path}" in shown
    assert f"branch    {branch}" in shown
    told = project.flowcage("show", run_id, "--agent", "1", "--json").json
    assert told["worktree"] == wrote["worktree"]


def test_a_patch_and_a_base_are_asked_for_by_options(project: Project) -> None:
    git(project.repository, "tag", "old")
    (project.repository / "new.txt").write_text("new")
    git(project.repository, "add", "--all")
    git(project.repository, "commit", "--quiet", "-m", "second")
    done = project.run(TWO, "--base", "old", "--worktrees", "patch")
    assert done.status == 0, done.stderr
    (patch,) = (project.path / "state").rglob("*.patch")
    assert str(patch) in done.stderr
    assert project.branches() == ["main"]
    assert sorted(each.name for each in patch.with_suffix("").iterdir()) == [".git", ".gitignore", "a.txt"]
    git(project.repository, "apply", str(patch))
    assert (project.repository / "a.txt").read_text() == "write a.txt"


def test_a_base_that_is_none_is_a_wrong_call_that_costs_nothing(project: Project) -> None:
    done = project.run(TWO.replace("return", "export default") + "\n", "--base", "nowhere")
    assert "'nowhere' names no commit that a worktree could be made from" in done.stderr + done.stdout
    assert not list((project.path / "state").rglob("*.json"))


def test_an_agent_that_cannot_work_in_a_folder_refuses_by_name(project: Project) -> None:
    words = project.words("export default await agent('a', {isolation: 'worktree'});")
    done = flowcage(*words[:2], "--agent", "anthropic:m", cwd=project.repository,
                    env=project.env | {"ANTHROPIC_API_KEY": "k"})  # fmt: skip
    assert done.status == 1
    assert "cannot follow options.isolation" in done.stdout


def test_a_conversation_goes_on(project: Project) -> None:
    done = project.run(CONVERSATION)
    assert done.json["result"] == ["project", "session of plan"]


def test_a_run_that_is_killed_loses_nothing_and_the_next_one_says_where_it_is(project: Project) -> None:
    words = project.words("return await agent('wait', {label: 'slow', isolation: 'worktree'});")
    at_work = Path(project.env["AT_WORK"])
    os.mkfifo(at_work)
    run = subprocess.Popen(
        [str(FLOWCAGE), *words], cwd=project.repository, env={**os.environ, **project.env},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with open(at_work, "rb"):  # it is opened for writing once the file is there
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert project.branches() == ["main"]
    done = project.run(TWO)
    branches = [each for each in project.branches() if each.endswith("/slow-1")]
    assert len(branches) == 1
    assert git(project.repository, "show", f"{branches[0]}:waited") == "half"
    assert "which was ended early, are kept in" in done.stderr
    assert branches[0] in done.stderr
