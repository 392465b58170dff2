"""``flowcage run --plan``: what would be asked, by whom and for how much, while nobody is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .command import EXAMPLES, Finished, flowcage

FINDINGS = """{type: 'object', required: ['list'], properties: {list: {type: 'array', items: {type: 'object',
  required: ['file'], properties: {file: {type: 'string'}, line: {type: 'integer'}}}}}}"""
FAN_OUT = f"""export const meta = {{name: 'w', phases: [{{title: 'Find', model: 'haiku'}}, 'Fix']}};
phase('Find');
const found = await parallel(['a', 'b'].map((x) => () =>
  agent(`Find in ${{x}}`, {{label: `find:${{x}}`, schema: {FINDINGS}}})));
phase('Fix');
const files = [...new Set(found.filter(Boolean).flatMap((each) => each.list.map((f) => f.file)))];
await pipeline(files, (file) => agent(`Fix ${{file}}`, {{label: `fix:${{file}}`, model: 'opus'}}));
if (files.length > 90) await agent('too many', {{label: 'many'}});
return files;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def plan(folder: Path, source: str, *words: str | Path, **more: Any) -> Finished:
    (folder / "w.js").write_text(source)
    env = {"XDG_STATE_HOME": str(folder / "state"), "ANTHROPIC_API_KEY": "", "OPENAI_API_KEY": ""}
    return flowcage("run", "w.js", "--plan", *words, cwd=folder, env=env, **more)


def planned(folder: Path, source: str, *words: str | Path) -> Any:
    finished = plan(folder, source, "--json", *words)
    assert finished.status == 0, finished.stderr
    return finished.json


def test_a_plan_tells_calls_models_costs_and_what_depends_on_answers(folder: Path) -> None:
    told = planned(folder, FAN_OUT, "--agent", "anthropic")
    assert [(call["phase"], call["label"], call["model"]) for call in told["calls"]] == [
        ("Find", "find:a", "claude-haiku-5-5"),
        ("Find", "find:b", "claude-haiku-5-5"),
        *(("Fix", f"fix:stub {number}", "claude-opus-5-5") for number in (1, 2)),
    ]
    assert [(call["line"], call["varies"], call["asks"]) for call in told["calls"]] == [
        (4, False, 2), (4, False, 2), (8, True, 1), (8, True, 1)
    ]  # fmt: skip
    assert [(each["line"], each["kind"]) for each in told["varies"]] == [(8, "pipeline"), (9, "branch")]
    assert told["unreached"] == [{"workflow": "w.js", "line": 9, "title": "many"}]
    assert told["phases"] == ["Find", "Fix"]
    estimate = told["estimate"]
    assert (estimate["agents"], estimate["outputTokens"], estimate["unpriced"]) == (4, 4_000, 0)
    assert estimate["costUsd"] == pytest.approx(sum(call["costUsd"] for call in told["calls"]))
    assert estimate["costUsd"] > 0
    assert told["bounds"]["asksOfThesePlannedCalls"] == 6
    assert told["bounds"]["costUsd"] == pytest.approx(1_000 * max(call["costUsd"] for call in told["calls"]))
    assert any("ANTHROPIC_API_KEY" in note for note in told["notes"])
    page = (EXAMPLES.parent / "docs" / "looking.md").read_text().partition("## A plan")[2]
    documented = set(re.findall(r"`(\w+)`", page))
    assert documented >= {*told, *told["calls"][0], *told["estimate"], *told["bounds"], *told["varies"][0]}


def test_arrays_have_as_many_items_as_asked_for(folder: Path) -> None:
    told = planned(folder, FAN_OUT, "--agent", "mock", "--plan-items", "5", "--plan-output-tokens", "7")
    assert len(told["calls"]) == 7
    assert told["estimate"]["outputTokens"] == 49
    assert told["estimate"]["costUsd"] == 0


def test_nobody_is_asked_and_nothing_is_kept(folder: Path) -> None:
    agent = f"command:touch {folder}/asked"
    finished = plan(folder, FAN_OUT, "--agent", agent)
    assert finished.status == 0
    assert not (folder / "asked").exists()
    assert not (folder / "state").exists()
    rows = [line.split() for line in finished.stdout.splitlines() if line.startswith("  Fi")]
    assert [row[:3] for row in rows] == [["Find", "find:…", "2"], ["Fix", "fix:…", "?2"]]


def test_a_plan_goes_to_a_file(folder: Path) -> None:
    finished = plan(folder, "return agent('p');", "--agent", "mock", "-o", "plan.json", "--format", "json")
    assert (finished.status, finished.stdout) == (0, "")
    assert len(json.loads((folder / "plan.json").read_text())["calls"]) == 1
    assert plan(folder, "return agent('p');", "--agent", "mock", "-o", "w.js").status == 2


def test_fixtures_come_before_stubs_whoever_would_answer(folder: Path) -> None:
    (folder / "answers.json").write_text(json.dumps([{"label": "find:a", "answer": {"list": []}}]))
    told = planned(folder, FAN_OUT, "--agent", "openai:gpt-5.5", "--fixtures", "answers.json")
    assert [call["answer"] for call in told["calls"]] == ["fixture", "stub", "stub", "stub"]
    assert {call["agent"] for call in told["calls"]} == {"openai"}


def test_options_that_the_agent_does_not_follow_are_told_by_name(folder: Path) -> None:
    source = """return Promise.allSettled([
  agent('a', {isolation: 'worktree', label: 'x'}), agent('b', {effort: 'low'})]);"""
    finished = plan(folder, source, "--agent", "openai", "--json", "--fail-on", "none")
    refused = [call["refused"] for call in finished.json["calls"]]
    assert "cannot follow options.isolation" in refused[0]
    assert refused[1] is None
    assert finished.json["estimate"]["refused"] == 1
    text = plan(folder, source, "--agent", "openai", "--fail-on", "any")
    assert text.status == 1
    assert "! would have no answer:" in text.stdout
    assert "options.isolation" in text.stdout


def test_routes_aliases_and_types_choose_as_in_a_run(folder: Path) -> None:
    (folder / "flowcage.toml").write_text('[[route]]\nlabel = "v:*"\nagent = "openai:gpt-5.5"\n')
    (folder / ".claude" / "agents").mkdir(parents=True)
    (folder / ".claude" / "agents" / "careful.md").write_text(
        "---\nname: careful\neffort: high\n---\nBe careful."
    )
    source = "await agent('1', {label: 'v:1'});\nreturn agent('2', {model: 'fast', agentType: 'careful'});"
    told = planned(folder, source, "--agent", "claude", "--model", "fast=claude-haiku-5-5", "--trust-project")
    assert [(call["agent"], call["model"], call["effort"]) for call in told["calls"]] == [
        ("openai", "gpt-5.5", None),
        ("claude", "claude-haiku-5-5", "high"),
    ]
    assert any("no program 'claude'" in note for note in told["notes"])


def test_child_workflows_are_in_the_plan() -> None:
    told = flowcage("run", EXAMPLES / "parent.js", "--plan", "--json", "--agent", "mock").json
    assert [each["sourceName"] for each in told["workflows"]] == ["parent.js", *["child.js"] * 3]
    assert {call["workflow"] for call in told["calls"]} == {"parent.js", "child.js"}
    assert len(told["calls"]) == 7


def test_waits_are_skipped_and_people_are_not_asked(folder: Path) -> None:
    source = """import { sleep, ask } from 'workflow:extra';
await sleep(86_400_000);
const go = await ask('ship?', {options: ['yes', 'no']});
if (go === 'yes') await agent('ship');
return go;"""
    told = planned(folder, source, "--agent", "mock")
    assert (told["sleepMs"], told["questions"], len(told["calls"])) == (86_400_000, ["ship?"], 1)


def test_a_ceiling_ends_a_loop_as_it_would(folder: Path) -> None:
    source = "while (budget.remaining() > 2500) await agent('more');\nreturn 1;"
    told = planned(folder, source, "--agent", "anthropic", "--budget", "10000")
    assert len(told["calls"]) == 8
    told = planned(folder, "const r = [];\nfor (let i = 0; i < 9; i++) r.push(await agent('x'));\nreturn r;",
                   "--agent", "anthropic", "--max-cost", "$0.05")  # fmt: skip
    costs = [call["costUsd"] for call in told["calls"] if call["refused"] is None]
    assert sum(costs) <= 0.05 + max(costs)
    assert told["estimate"]["refused"] > 0


def test_a_loop_that_no_answer_ends_is_cut_and_said(folder: Path) -> None:
    source = "while (!(await agent('done?', {schema: {type: 'boolean'}})));\nreturn 1;"
    finished = plan(folder, source, "--agent", "mock", "--max-total-agents", "20")
    assert finished.status == 1
    assert "a loop of it does not end" in finished.stdout
    assert "--max-total-agents" in finished.stdout


def test_a_workflow_that_fails_on_stubs_ends_as_its_run_would(folder: Path) -> None:
    finished = plan(folder, "const r = await agent('x');\nreturn r.no.such;", "--agent", "mock")
    assert finished.status == 1
    assert "w.js:2" in finished.stderr
    assert "--fixtures" in finished.stderr
    assert "1 agent call" in finished.stdout


def test_what_a_run_would_warn_of_is_told(folder: Path) -> None:
    source = "const r = await parallel([() => agent('a'), () => { throw new Error('oops') }]);\nreturn r;"
    finished = plan(folder, source, "--agent", "mock")
    assert finished.status == 0
    assert "parallel()[1] became null: oops" in finished.stderr


def test_a_model_without_a_price_is_unknown_and_not_free(folder: Path) -> None:
    finished = plan(
        folder, "return agent('x', {model: 'm\\u202e<b>'});", "--agent", "anthropic", "--max-cost", "1"
    )
    assert "unknown" in finished.stdout
    assert "no price is known" in finished.stdout
    assert "\u202e" not in finished.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--plan", "--detach"), "--detach"),
        (("--plan", "--events", "e.jsonl"), "--events"),
        (("--plan", "--format", "raw"), "a plan has none"),
        (("--json",), "--json is of a plan"),
        (("--plan-items", "3"), "--plan-items is of a plan"),
        (("--plan", "--agent", "none"), "there is no agent"),
        (("--plan", "--fixtures", "none.json"), "cannot be read"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(
    folder: Path, words: tuple[str, ...], says: str
) -> None:
    (folder / "w.js").write_text("return 1;")
    finished = flowcage("run", "w.js", *words, cwd=folder)
    assert finished.status == 2
    assert says in finished.stderr
