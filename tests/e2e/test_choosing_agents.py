"""Who answers ``agent()``: options, settings, types of agents, and what a user is told who chose nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from flowcage.host.agents.spec import KNOWN_AGENTS

from ..agents.servers import anthropic
from .command import Finished, flowcage

# Answers with what it was asked.
TELLS = f"""command:{sys.executable} -c 'import os, sys, json
options = os.environ["FLOWCAGE_OPTIONS"]
print(json.dumps(["{{name}}", json.loads(options), sys.stdin.read()]))'"""
ONE_CALL = "export default ({prompt, options}) => agent(prompt ?? 'hi', options ?? {});"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a workflow that makes one call."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    (tmp_path / "project" / "w.js").write_text(ONE_CALL)
    return tmp_path / "project"


def run(project: Path, *words: str | Path, options: Any = None, **more: Any) -> Finished:
    given = json.dumps({"options": options or {}})
    return flowcage("run", project / "w.js", "--quiet", "--args", given, *words, **more)


def told(project: Path, *words: str | Path, options: Any = None) -> Any:
    """What an agent that tells it was asked: its name, options, prompt."""
    finished = run(project, *words, options=options)
    assert finished.status == 0, finished.stderr
    return json.loads(finished.json["result"])


def tells(name: str) -> str:
    return TELLS.replace("{name}", name)


def settings(project: Path, *routes: str, rest: str = "") -> None:
    text = [rest, *(f"[[route]]\n{route}" for route in routes)]
    (project / "flowcage.toml").write_text("\n".join(text))


def test_aliases_and_a_default_model_reach_the_agent(project: Path) -> None:
    words = ("--agent", tells("a"), "--model", "opus=gpt-5.6", "--model", "mini")
    assert told(project, *words, options={"model": "opus", "label": "l"})[1] == {
        "label": "l",
        "model": "gpt-5.6",
    }
    assert told(project, *words)[1] == {"model": "mini"}
    assert told(project, *words, options={"model": "other"})[1] == {"model": "other"}


def test_models_of_phases_and_their_effort_reach_the_agent(project: Path) -> None:
    (project / "w.js").write_text(
        "export const meta = {name: 'w', phases: [{title: 'A', model: 'opus', effort: 'high'}]};\n"
        "phase('A');\nreturn agent('hi');"
    )
    asked = told(project, "--agent", tells("a"), "--model", "opus=big")[1]
    assert asked == {"phase": "A", "model": "big", "effort": "high"}


def test_settings_route_calls_by_label_and_phase(project: Path) -> None:
    cheap, strict = json.dumps(tells("cheap")), json.dumps(tells("strict"))
    settings(
        project,
        f'label = "verify:*"\nagent = {cheap}',
        f'phase = "Review"\nagent = {strict}',
        rest='[models]\nopus = "big"',
    )
    words = ("--trust-project", "--agent", tells("other"))
    assert told(project, *words, options={"label": "verify:1", "model": "opus"})[:2] == [
        "cheap",
        {"label": "verify:1", "model": "big"},
    ]
    assert told(project, *words, options={"phase": "Review"})[0] == "strict"
    assert told(project, *words, options={"label": "verify"})[0] == "other"


def test_a_repository_that_is_not_trusted_runs_no_program(project: Path, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    for text in (
        f'agent = "command:touch {witness}"',
        f'[[route]]\nlabel = "*"\nagent = "command:touch {witness}"',
        f'[agents.command]\nprogram = "{witness}"',
    ):
        (project / "flowcage.toml").write_text(text)
        finished = run(project, options={"label": "x"})
        assert finished.status == 2
        assert f"{project}/flowcage.toml: " in finished.stderr
        assert "--trust-project" in finished.stderr
        assert run(project, "--ignore-project").json["result"] == "echo: hi"
    assert not witness.exists()


def test_a_run_goes_on_with_the_models_and_routes_that_it_was_begun_with(
    project: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs.db"
    settings(
        project, f'label = "verify"\nagent = {json.dumps(tells("cheap"))}', rest='[models]\nopus = "big"'
    )
    words = ("--store", store, "--trust-project", "--agent", tells("other"))
    begun = run(project, *words, options={"label": "verify", "model": "opus"})
    settings(project, rest='[models]\nopus = "another"')
    again = flowcage("fork", begun.json["runId"], "--store", store, "--at", "1", "--quiet")
    assert again.status == 0, again.stderr
    assert again.json["result"] == begun.json["result"]
    assert json.loads(again.json["result"])[:2] == ["cheap", {"label": "verify", "model": "big"}]


def test_a_fork_reuses_what_the_same_agent_with_the_same_models_answered(
    project: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs.db"
    begun = run(project, "--store", store, "--agent", "mock", "--model", "opus=big").json["runId"]
    dry = ("--store", store, "--dry-run", "--json")
    same = flowcage("fork", begun, *dry)
    assert [call["reused"] for call in same.json["calls"]] == ["1"]
    assert same.json["answers"] == 1


def test_a_fork_with_another_agent_does_not_have_the_model_of_the_old_one(
    project: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs.db"
    begun = run(project, "--store", store, "--agent", "mock", "--model", "mini").json["runId"]
    again = flowcage("fork", begun, "--store", store, "--agent", tells("b"), "--quiet")
    assert json.loads(again.json["result"])[:2] == ["b", {}]


def test_a_fork_can_have_other_models(project: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    models = ("--model", "opus=big", "--model", "mini")
    begun = run(project, "--store", store, "--agent", tells("a"), *models, options={"model": "opus"})
    assert json.loads(begun.json["result"])[:2] == ["a", {"model": "big"}]
    words = ("fork", begun.json["runId"], "--store", store, "--quiet")
    again = flowcage(*words, "--model", "opus=small", "--model", "nano")
    assert json.loads(again.json["result"])[:2] == ["a", {"model": "small"}]
    wrong = flowcage(*words, "--model", "a", "--model", "b")
    assert (wrong.status, "--model is given twice" in wrong.stderr) == (2, True)
    strict = flowcage("resume", begun.json["runId"], "--store", store, "--model", "a")
    assert "these options need an edited SCRIPT" in strict.stderr


def test_a_type_of_agent_is_found_in_the_project(project: Path) -> None:
    types = project / ".claude" / "agents"
    types.mkdir(parents=True)
    (types / "x.md").write_text(
        "---\nname: reviewer\ndescription: for: reviews\nmodel: opus\n---\nReview strictly."
    )
    words = ("--agent", tells("a"), "--model", "opus=big")
    _, options, prompt = told(project, *words, options={"agentType": "reviewer"})
    assert options == {"model": "big"}
    assert prompt.startswith("Review strictly.\n\nhi")


def test_settings_models_and_types_reach_an_api(project: Path) -> None:
    types = project / ".flowcage" / "agents"
    types.mkdir(parents=True)
    (types / "reviewer.md").write_text("---\nmodel: opus\neffort: low\ntools: Read\n---\nReview strictly.")
    with anthropic.server() as server:
        server.then(anthropic.says("reviewed"), anthropic.says("verified"))
        table = f'[agents.anthropic]\nbase_url = "{server.url}"'
        cheap = 'label = "verify"\nagent = "anthropic:small"'
        settings(project, cheap, rest=f'agent = "anthropic"\n{table}\n[models]\nopus = "big"')
        done = run(project, "--trust-project", options={"agentType": "reviewer"})
        assert done.json["result"] == "reviewed"
        done = run(project, "--trust-project", options={"label": "verify", "model": "opus"})
        assert done.json["result"] == "verified"
        asked, routed = (request.body for request in server.requests)
    assert (asked["model"], asked["system"]) == ("big", "Review strictly.")
    assert asked["output_config"]["effort"] == "low"
    assert routed["model"] == "small"


def test_an_unknown_type_is_refused_before_anybody_is_asked(project: Path, tmp_path: Path) -> None:
    witness = tmp_path / "asked"
    finished = run(
        project,
        "--agent",
        f"command:touch {witness}",
        options={"agentType": "../x", "retry": {"maxAttempts": 3}},
    )
    assert finished.status == 1
    assert "there is no agentType '../x'; known are Explore, Plan, general-purpose" in finished.stderr
    assert finished.json["usage"]["agents"] == 1
    assert not witness.exists()


def test_fixtures_answer_by_label(project: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"label": "verify:*", "answer": "yes", "usage": {"input": 2, "output": 3}}\n')
    done = run(project, "--fixtures", answers, options={"label": "verify:1"})
    assert (done.json["result"], done.json["usage"]["tokens"]) == ("yes", 5)
    other = run(project, "--fixtures", answers, options={"label": "x"})
    assert other.status == 1
    assert "no fixture answers this call (label 'x', prompt 'hi')" in other.stderr


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (("--fixtures", "{file}"), "{", "--fixtures {file}:1: is not JSON"),
        (("--fixtures", "{file}", "--agent", "command:cat"), "[]", "--fixtures are the answers of mock"),
        (("--fixtures", "{file}.none"), "", "--fixtures {file}.none: cannot be read: No such file"),
        (("--agent", "mok"), "", "--agent: there is no agent 'mok'; did you mean 'mock'?"),
        (("--agent", "mock:x"), "", "--agent: 'mock:x': mock takes no model"),
        (
            ("--agent", "command:no-such-"),
            "",
            "--agent: there is no program 'no-such-'",
        ),
        (("--agent", "claude"), "", "--agent: there is no program 'claude' here, or it is not executable"),
        (("--model", "a=1", "--model", "a=2"), "", "--model a= is given twice"),
    ],
)
def test_wrong_choices_are_wrong_usage(
    project: Path, tmp_path: Path, words: Any, text: str, message: str
) -> None:
    file = tmp_path / "f.json"
    file.write_text(text)
    given = (word.replace("{file}", str(file)) for word in words)
    finished = run(project, *given, env={"PATH": "/nowhere"})
    assert finished.status == 2
    assert finished.stderr.startswith(f"flowcage: {message.replace('{file}', str(file))}")


def nobody_chosen(tmp_path: Path, programs: str) -> dict[str, str]:
    """The environment of a user without settings."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "none"), "PATH": programs, "HOME": str(tmp_path)}


def test_a_first_time_user_is_told_that_answers_are_made_up(project: Path, tmp_path: Path) -> None:
    finished = run(project, env=nobody_chosen(tmp_path, "/usr/bin/nowhere"))
    assert finished.json["result"] == "echo: hi"
    assert (
        "no agent is chosen, and no program of one is on the PATH: mock makes the answers up"
        in finished.stderr
    )
    assert str(tmp_path / "none" / "flowcage" / "flowcage.toml") in finished.stderr


def test_a_first_time_user_is_told_of_an_agent_before_it_is_asked(project: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "2.1.3 (Claude Code)" || echo "$@" > {asked}\n'
    )
    program.chmod(0o755)
    finished = run(project, env=nobody_chosen(tmp_path, f"{program.parent}:/usr/bin:/bin"))
    first, _, rest = finished.stderr.partition("\n")
    assert first.startswith("flowcage: warning: no agent is chosen, so claude answers, with the account")
    assert str(program) in first
    assert "With --agent mock nothing is spent" in first
    assert rest
    assert asked.exists()


def test_a_workflow_that_asks_nobody_is_told_nothing(project: Path, tmp_path: Path) -> None:
    (project / "w.js").write_text("export default 1")
    assert run(project, env=nobody_chosen(tmp_path, "/usr/bin/nowhere")).stderr == ""


def test_a_user_who_has_chosen_is_told_nothing(project: Path) -> None:
    assert run(project).stderr == ""


def test_the_user_and_the_doctor_see_the_same_files(project: Path) -> None:
    (project / "flowcage.toml").write_text('agent = "command:evil"')
    finished = flowcage("doctor", cwd=project)
    lines = {
        name.strip(): rest.strip()
        for name, _, rest in (line.partition(":") for line in finished.stdout.splitlines())
    }
    assert lines["settings of the user"] == f"{os.environ['XDG_CONFIG_HOME']}/flowcage/flowcage.toml"
    assert (
        lines["settings of the project"]
        == f"{project}/flowcage.toml (not trusted, so it cannot be used: it has agent)"
    )
    assert {f"agent {name}" for name in KNOWN_AGENTS if name != "command"} <= lines.keys()
    assert lines["agent types"].startswith("Explore, Plan")
    assert lines["agent mock"].startswith("yes")


@pytest.mark.parametrize("option", ["--cage", "--isolation"])
def test_the_cage_has_two_names(project: Path, option: str) -> None:
    assert run(project, option, "best_effort").json["result"] == "echo: hi"
    assert "'none'" in run(project, option, "loose").stderr
