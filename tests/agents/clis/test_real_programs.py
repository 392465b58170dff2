"""The real programs in each situation, against servers of ours: ``make test-agents``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ..repositories import repository
from ..servers import anthropic, openai
from .record import real_program
from .situation import Situation
from .stage import DEADLINE_S, SERVERS, SITUATIONS, USAGES, Stage, play, require_expected, set_up

pytestmark = pytest.mark.skipif(
    "FLOWCAGE_TEST_AGENTS" not in os.environ, reason="make test-agents runs the real programs"
)
ALL = [
    pytest.param(program, each, id=f"{program}-{each}") for program, all in SITUATIONS.items() for each in all
]
WORKFLOW = """
export const meta = { name: 'names', phases: [{ title: 'Ask' }] };
phase('Ask');
const schema = { type: 'object', required: ['day'], properties: { day: { type: 'string' } } };
return { text: await agent('What is the answer?', { label: 'text' }),
         named: await agent('Which day?', { label: 'named', schema }) };
"""


def stage_of(program: str, place: Path, url: str) -> Stage:
    """A stage with the real program first in its PATH."""
    real = real_program(program)
    if real is None:
        pytest.skip(f"{program} is not in PATH, and FLOWCAGE_TEST_{program.upper()} is not set")
    (place / "bin").mkdir()
    (place / "bin" / program).symlink_to(Path(real).resolve())
    return set_up(program, place, url, f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(("program", "situation"), ALL)
def test_each_situation_comes_to_what_it_says(program: str, situation: Situation, tmp_path: Path) -> None:
    with SERVERS[program]() as server:
        stage = stage_of(program, tmp_path, server.url)
        require_expected(situation, play(stage, situation, server), USAGES[program])


@pytest.mark.parametrize(
    ("situation", "unsaid"), [("file-mentioned", "Result of calling the Read tool"), ("slash", "Total cost")]
)
def test_claude_makes_nothing_else_of_a_prompt(situation: str, unsaid: str, tmp_path: Path) -> None:
    with SERVERS["claude"]() as server:
        stage = stage_of("claude", tmp_path, server.url)
        (one,) = (each for each in SITUATIONS["claude"] if each.name == situation)
        play(stage, one, server)
        asked = [json.dumps(each.body) for each in server.requests if "messages" in each.path]
    assert [one.prompt in each and unsaid not in each for each in asked] == [True]


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_a_long_answer_comes_whole_though_the_program_does_not_wait_until_it_is_read(
    program: str, tmp_path: Path
) -> None:
    says = {"claude": anthropic.says, "codex": openai.says}[program]
    with SERVERS[program]() as server:
        stage = stage_of(program, tmp_path, server.url)
        long = Situation("long", lambda server: server.then(says("x" * 400_000)), value="x" * 400_000)
        require_expected(long, play(stage, long, server), USAGES[program])


@pytest.mark.parametrize("program", ["claude", "codex"])
def test_a_run_tells_what_it_got_and_what_that_cost(program: str, tmp_path: Path) -> None:
    file, events = tmp_path / "names.js", tmp_path / "events.jsonl"
    file.write_text(WORKFLOW)
    with SERVERS[program]() as server:
        stage = stage_of(program, tmp_path, server.url)
        store = f"--store={tmp_path / 'runs.db'}"
        told = flowcage(stage, "run", str(file), f"--agent={program}", f"--events={events}", store)
        shown = flowcage(stage, "show", "@last", "--json", store)

    result, usage = json.loads(told), USAGES[program]
    assert result["verdict"] == "completed"
    assert result["result"] == {"text": "The answer is 42.", "named": {"day": ""}}
    assert result["usage"]["tokens"] == 2 * (usage.input + usage.output)
    told_events = map(json.loads, events.read_text().splitlines())
    answers = [each for each in told_events if each["type"] == "agent_completed"]
    assert [each["usage"] for each in answers] == [usage.to_json()] * 2
    assert all(each["model"] and each["sessionId"] for each in answers)
    calls = json.loads(shown)["calls"]
    assert [(each["inputTokens"], each["cacheReadTokens"]) for each in calls] == [
        (usage.input, usage.cache_read)
    ] * 2
    # The price of codex is that of a table, of claude its own figure.
    assert all(each["costUsd"] > 0 for each in (*answers, *calls, result["usage"]))


def flowcage(stage: Stage, *arguments: str) -> str:
    """The stdout of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "flowcage.host.cli.entry", *arguments],
        env=dict(stage.variables),
        cwd=stage.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


CONVERSATION = """
const options = OPTIONS;
const first = await agent('What is the answer?', { ...options, handle: true });
const told = [first.value];
for (const number of [1, 2]) {
  told.push(await agent('And then, ' + number + '?', { ...options, continue: first.handle }));
}
return told;
"""


@pytest.mark.parametrize("program", ["claude", "codex"])
@pytest.mark.parametrize("options", ["{}", "{ isolation: 'worktree' }"])
def test_a_conversation_goes_on(program: str, options: str, tmp_path: Path) -> None:
    file, events = tmp_path / "talk.js", tmp_path / "events.jsonl"
    file.write_text(CONVERSATION.replace("OPTIONS", options))
    with SERVERS[program]() as server:
        stage = stage_of(program, tmp_path, server.url)
        stage = replace(stage, folder=repository(tmp_path / "project"))
        told = flowcage(stage, "run", str(file), f"--agent={program}", f"--events={events}", "--no-store")
        asked = [json.dumps(each.body) for each in server.requests if "And then" in json.dumps(each.body)]
    assert json.loads(told)["result"] == ["The answer is 42."] * 3
    told_events = list(map(json.loads, events.read_text().splitlines()))
    sessions = {each["sessionId"] for each in told_events if each["type"] == "agent_completed"}
    assert len(sessions) == 3
    assert len(asked) >= 2
    assert all("What is the answer?" in each and "The answer is 42." in each for each in asked)
    assert not any("And then, 1?" in each and "And then, 2?" in each for each in asked)
    assert all("worktrees/project-" in each for each in asked) is (options != "{}")
    assert [each.name for each in tmp_path.rglob("worktrees/*/*")] == []
