"""Tokens and the number of agent calls: what is counted, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, Outcome, RunOptions, run_workflow_blocking
from flowcage.host.outcome.usage import PhaseUsage
from flowcage.host.run.run import Run
from flowcage.host.run.slots import Share, Slots
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..host.children import Launcher
from ..host.runs import Agent, busy, run

THREE = """export default async () => {
  const said = [];
  for (const prompt of ['a', 'b', 'c']) said.push(await agent(prompt).catch((error) => error.message));
  return [said, budget.spent(), budget.remaining()];
}"""


def test_a_hard_budget_refuses_agents_once_it_is_spent() -> None:
    outcome = run(THREE, agent=Agent("ok"), budget_tokens=15)
    refusal = "agent() is refused: 20 of the budget's 15 tokens are spent"
    assert outcome.result == [["ok", "ok", refusal], 20, 0]
    assert outcome.census.refused == 1


def test_a_spent_hard_budget_refuses_without_waiting_for_a_slot() -> None:
    launcher, taken = Launcher(), Slots(1)
    taken.queue(lambda: True)
    options = RunOptions(budget_tokens=0, launcher=launcher, timeout_seconds=120)

    async def main() -> Outcome:
        source = "export default agent('x').catch((error) => error.message)"
        return await Run(options, "w.js", Share(slots={"agent": taken})).execute(source, {})

    outcome = trio.run(main)
    launcher.assert_nothing_left()
    assert outcome.result == "agent() is refused: 0 of the budget's 0 tokens are spent"


def test_child_workflows_share_the_total_the_budget_and_the_phases(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text(
        "phase('Kid'); await agent('k'); export default agent('k').catch((error) => error.message)"
    )
    source = """phase('Parent'); await agent('p');
      export default [await workflow({scriptPath: 'kid.js'}), budget.spent()]"""
    launcher = Launcher()
    options = RunOptions(
        agent=Agent("ok"), workflow=ChildWorkflows(tmp_path), max_total_agents=2, launcher=launcher
    )
    outcome = run_workflow_blocking(source, source_name=str(tmp_path / "p.js"), options=options)
    launcher.assert_nothing_left()
    assert "maxTotalAgents" in outcome.result[0]
    assert outcome.result[1] == 20
    assert outcome.usage.by_phase == {
        "Parent": PhaseUsage(1, 0, 10, unpriced=1),
        "Kid": PhaseUsage(1, 0, 10, unpriced=1),
    }


def test_usage_is_told_by_phase() -> None:
    source = """await agent('a'); phase('P'); await agent('b').catch(() => 0); await agent('c');
      await agent('d', {phase: 'Q'}); await agent('e', {phase: null}); export default 1"""
    usage = run(source, agent=Agent("ok", busy(), "ok")).usage
    assert usage.by_phase == {
        "": PhaseUsage(2, 0, 20, unpriced=2),
        "P": PhaseUsage(2, 1, 10, unpriced=1),
        "Q": PhaseUsage(1, 0, 10, unpriced=1),
    }
    in_json = {"agents": 2, "failed": 1, "tokens": 10, "costUsd": 0.0, "inputTokens": 0, "outputTokens": 0}
    in_json |= {"cacheReadTokens": 0, "cacheWriteTokens": 0, "unpriced": 1}
    assert usage.to_json()["byPhase"]["P"] == in_json
    assert usage.to_json()["byWorkflow"]["workflow.js"]["P"] == in_json


@pytest.mark.parametrize("tokens", [-1, 1.5, True, "3", float("nan")])
def test_tokens_that_are_no_count_are_refused_where_they_are_made(tokens: int) -> None:
    with pytest.raises(ValueError, match="tokens must be a whole number"):
        AgentAnswer("x", tokens=tokens)


def test_an_agent_sees_nothing_of_the_budget_but_its_own_call() -> None:
    agent = Agent("ok")
    outcome = run("export default agent('x', {label: 'l'})", agent=agent, budget_tokens=5)
    known = AgentCall("1", "x", {"label": "l"}, run_id=outcome.run_id, root_run_id=outcome.run_id)
    known = replace(known, tokens_left=5)
    assert agent.calls == [known]


def test_an_answer_counts_whose_check_was_cut_off_by_the_timeout() -> None:
    async def late(call: AgentCall) -> AgentAnswer:
        with trio.CancelScope(shield=True):
            await trio.sleep_until(call.deadline + 0.01)
        return AgentAnswer("no number", tokens=7, cost_usd=0.5)

    source = "export default agent('x', {schema: {type: 'number'}, timeoutMs: 5}).catch(String)"
    outcome = run(source, agent=late)

    assert outcome.result == "Error: the agent took longer than options.timeoutMs (5 ms)"
    assert (outcome.usage.tokens, outcome.usage.cost_usd, outcome.census.failed) == (7, 0.5, 1)
