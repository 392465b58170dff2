"""Workflows as authors write them, with the mistakes that they make, through the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, Handlers, Host, RunOptions, WorkflowFailed

from .command import Finished, flowcage

META = "export const meta = { name: 'case' };\n"

CALLS_NOT_FUNCTIONS = META + "const [a, b] = await parallel(agent('left'), agent('right'));\nreturn { a, b };"

GUARDED = (
    META
    + """
const survey = await agent('survey: die');
if (!survey) log('going on without the survey');
return { survey, rest: await agent('the rest') };
"""
)

# One of three calls fails in the first phase.
PHASES = (
    META
    + """
phase('First');
const first = await parallel([() => agent('one'), () => agent('die now'), () => agent('two')]);
phase('Second');
return { first, second: await agent('three') };
"""
)

THROWS_AFTER_FAN_OUT = (
    META
    + """
const jobs = Array.from({ length: 10 }, (_, i) => agent(`job ${i}`));
const config = undefined;
log(config.depth);
return await Promise.all(jobs);
"""
)

SWALLOWS_THE_CAP = (
    META
    + """
for (;;) {
  const verdict = await agent('verify').catch(() => null);
  if (verdict && verdict.startsWith('yes')) return verdict;
}
"""
)

ALL_LOST = (
    META
    + """
const verdicts = (await parallel([1, 2, 3].map((i) => () => agent(`die ${i}`)))).filter(Boolean);
return { refuted: verdicts.length, message: 'no problems found' };
"""
)

TALKATIVE = (
    META
    + """
for (let i = 0; i < 5; i++) { log('x'.repeat(1 << 20)); await agent(`step ${i}`); }
return await parallel([() => { throw new Error('boom'); }]);
"""
)

PHASE_OPTIONS = META + "phase('Review', { detail: 'two reviewers', budget: 100 });\nreturn 1;"

# What is forgotten, how many requests nobody awaited, the first one's line, and whether anything awaited it.
FORGOTTEN: dict[str, tuple[str, int, int, bool]] = {
    "an await": ("agent('write the report');\nreturn 'done';", 1, 2, False),
    "one of two": ("agent('slow report');\nreturn await agent('quick');", 1, 2, False),
    "an async callback's": (
        "['a', 'b', 'c'].forEach(async (file) => {\n  await agent(`review ${file}`);\n});\nreturn 1;",
        3,
        3,
        True,
    ),
}


class Case:
    """A workflow in a folder, run with an agent whose program fails on "die" and waits on "slow"."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, source: str, *options: str) -> Finished:
        (self._folder / "w.js").write_text(source)
        (self._folder / "agent.py").write_text(
            "import sys, time\n"
            "prompt = sys.stdin.read()\n"
            f"open({str(self._folder / 'asked')!r}, 'a').write(prompt + '\\n')\n"
            "if 'slow' in prompt: time.sleep(1000)\n"
            "sys.exit('the agent died') if 'die' in prompt else print(prompt.upper())\n"
        )
        agent = f"command:{sys.executable} -S {self._folder / 'agent.py'}"
        events = str(self._folder / "events")
        words = ("run", "w.js", "--agent", agent, "--events", events, *options)
        return flowcage(*words, cwd=self._folder)

    def asked(self) -> list[str]:
        """The prompts that programs were started for."""
        path = self._folder / "asked"
        return sorted(path.read_text().splitlines()) if path.exists() else []

    def events(self, kind: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in (self._folder / "events").read_text().splitlines()]
        return [event for event in events if event["type"] == kind]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_calls_in_the_place_of_functions_are_an_error_that_says_so_and_start_no_agent(case: Case) -> None:
    finished = case.run(CALLS_NOT_FUNCTIONS)
    assert (finished.status, finished.json["verdict"]) == (1, "failed")
    assert "pass functions, such as [() => agent(" in finished.json["error"]["message"]
    assert finished.json["error"]["place"].startswith("w.js:2:")
    assert (case.asked(), finished.json["census"]["started"]) == ([], 0)
    assert case.events("agent_queued") == []


def test_an_agent_that_dies_is_null_to_a_script_which_goes_on(case: Case) -> None:
    finished = case.run(GUARDED)
    assert finished.status == 0, finished.stderr
    assert finished.json["result"] == {"survey": None, "rest": "THE REST"}
    (note,) = finished.json["diagnostics"]
    assert (note["kind"], note["id"]) == ("agent_failed", "1")
    assert "the agent died" in note["message"]
    assert (finished.json["census"]["completed"], finished.json["census"]["failed"]) == (1, 1)
    assert case.events("started")[0]["dialect"] == "script"


def test_an_agent_that_dies_throws_in_a_module(case: Case) -> None:
    finished = case.run("export default agent('die')")
    assert (finished.status, finished.json["error"]["kind"]) == (1, "exception")
    assert "the agent died" in finished.json["error"]["message"]
    assert case.run("export default agent('die')", "--agent-failure", "null").json["result"] is None
    assert case.run(GUARDED, "--agent-failure", "throw").json["verdict"] == "failed"


def test_a_call_that_fails_in_one_phase_leaves_the_next_one_alone(case: Case) -> None:
    finished = case.run(PHASES)
    assert finished.status == 0, finished.stderr
    assert finished.json["result"] == {"first": ["ONE", None, "TWO"], "second": "THREE"}
    by_phase = finished.json["usage"]["byPhase"]
    assert {name: (usage["agents"], usage["failed"]) for name, usage in by_phase.items()} == {
        "First": (3, 1),
        "Second": (1, 0),
    }
    assert [note["kind"] for note in finished.json["diagnostics"]] == ["agent_failed"]


def test_a_throw_after_a_fan_out_starts_no_agent(case: Case) -> None:
    finished = case.run(THROWS_AFTER_FAN_OUT)
    assert (finished.status, finished.json["verdict"]) == (1, "failed")
    assert finished.json["error"]["place"].startswith("w.js:5:")
    assert (case.asked(), finished.json["census"]["started"]) == ([], 0)


def test_a_throw_after_a_fan_out_starts_no_agent_in_a_hundred_of_a_hundred_runs() -> None:
    async def test() -> None:
        asked: list[str] = []

        async def agent(call: AgentCall) -> AgentAnswer:
            asked.append(call.prompt)
            return AgentAnswer(1)

        async with Host() as host:
            for _ in range(100):
                with pytest.raises(WorkflowFailed) as caught:
                    await host.run(THROWS_AFTER_FAN_OUT, handlers=Handlers(agent=agent))
                assert caught.value.report.census.started == 0
            assert asked == []
            # The same agent is asked where the workflow does not throw.
            works = THROWS_AFTER_FAN_OUT.replace("log(config.depth);", "")
            await host.run(works, options=RunOptions(agent=agent))
        assert len(asked) == 10

    trio.run(test)


def test_a_loop_that_swallows_the_cap_ends_soon_with_a_verdict_of_its_own(case: Case) -> None:
    finished = case.run(SWALLOWS_THE_CAP, "--max-total-agents", "3", "--quiet")
    assert (finished.status, finished.json["verdict"]) == (1, "agent_limit")
    assert "maxTotalAgents" in finished.json["error"]["message"]
    assert len(case.asked()) == 3
    assert finished.json["census"]["completed"] == 3
    assert 100 <= finished.json["census"]["refused"] <= 110
    assert len(finished.stderr.splitlines()) < 30


def test_a_run_whose_agents_all_died_is_no_success(case: Case) -> None:
    finished = case.run(ALL_LOST)
    assert (finished.status, finished.json["verdict"]) == (1, "completed")
    assert finished.json["result"]["message"] == "no problems found"
    assert finished.json["census"]["failed"] == 3
    assert "flowcage: exit status 1: no agent call of 3 has an answer" in finished.stderr
    assert case.run(ALL_LOST, "--fail-on", "none").status == 0


def test_logs_leave_room_for_diagnostics_and_what_is_dropped_is_told(case: Case) -> None:
    finished = case.run(TALKATIVE, "--quiet")
    assert finished.status == 0, finished.stderr
    assert finished.json["census"]["swallowedErrors"] == 1
    assert [note["kind"] for note in finished.json["diagnostics"]] == ["swallowed_error", "all_failed"]
    assert finished.json["logsDropped"] == 2
    assert "flowcage: note: dropped, for want of room: 2 log() calls" in finished.stderr
    assert len(case.events("log")) == 5


def test_the_options_of_a_phase_are_in_its_event_and_in_the_result(case: Case) -> None:
    options = {"detail": "two reviewers", "budget": 100}
    assert case.run(PHASE_OPTIONS).json["phases"] == [{"title": "Review", "options": options}]
    (event,) = case.events("phase")
    assert (event["name"], event["options"]) == ("Review", options)


@pytest.mark.parametrize("forgotten", FORGOTTEN)
def test_a_request_that_nobody_awaits_is_told_of_and_the_run_completes(case: Case, forgotten: str) -> None:
    body, count, line, awaited = FORGOTTEN[forgotten]
    finished = case.run(META + body, "--quiet")
    assert (finished.status, finished.json["verdict"]) == (0, "completed"), finished.stderr
    notes = [note for note in finished.json["diagnostics"] if note["kind"] == "unawaited_request"]
    assert [(note["type"], note["id"]) for note in notes] == [("agent", str(n + 1)) for n in range(count)]
    assert {(note["line"], note["awaited"]) for note in notes} == {(line, awaited)}
    assert finished.json["census"]["unawaited"] == count
    assert finished.stderr.count("flowcage: note: agent request ") == count
    # What was asked together with the result was never begun.
    assert [event["attempt"] for event in case.events("agent_cancelled")] == [1] * (forgotten == "one of two")
