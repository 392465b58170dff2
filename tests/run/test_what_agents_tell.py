"""What an agent tells beside its answer: progress, what a failure cost, an option that it does not follow."""

from __future__ import annotations

import pytest

from flowcage.agents import (
    AgentAnswer,
    AgentCall,
    AgentError,
    AgentUsage,
    Progress,
    WrongAnswer,
    require_honoured,
)
from flowcage.events import AgentProgressed

from ..host.runs import run

CAUGHT = ".catch((error) => error.message)"
USAGE = AgentUsage(3, 4)


def test_progress_becomes_events_between_start_and_end() -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        call.tell(Progress("reading", USAGE, 0.25, "m", "s"))
        call.tell(Progress("writing"))
        return AgentAnswer("done")

    events: list[object] = []
    assert run("export default agent('x')", agent=agent, listener=events.append).result == "done"
    told = [event for event in events if isinstance(event, AgentProgressed)]
    assert [(each.text, each.usage, each.cost_usd, each.model, each.session_id) for each in told] == [
        ("reading", USAGE, 0.25, "m", "s"),
        ("writing", None, None, None, None),
    ]
    assert told[0].to_json()["usage"] == USAGE.to_json()


def test_without_a_listener_progress_goes_nowhere() -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        call.tell(Progress("reading"))
        return AgentAnswer("done")

    assert run("export default agent('x')", agent=agent).result == "done"


def test_what_failures_cost_is_charged() -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        if call.options.get("schema") is None:
            raise AgentError("broken", usage=USAGE, cost_usd=0.5)
        if call.problem is None:
            raise WrongAnswer("no", "five", usage=USAGE, cost_usd=0.25)
        return AgentAnswer(call.refused or "", usage=USAGE, cost_usd=0.125)

    schema = "{schema: {type: 'string'}}"
    outcome = run(f"await agent('x').catch(() => 0); export default agent('y', {schema})", agent=agent)
    assert outcome.result == "five"
    assert (outcome.report.usage.tokens, outcome.report.usage.cost_usd) == (21, 0.875)


@pytest.mark.parametrize("dialect", ["module", "script"])
def test_an_option_that_the_agent_does_not_follow_throws_at_once(dialect: str) -> None:
    calls = []

    async def agent(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        require_honoured(call, "small", {"model"})
        return AgentAnswer("done")

    last = "export default" if dialect == "module" else "return await"
    asked = "agent('x', {model: 'm', isolation: 'worktree', retry: {maxAttempts: 3}, effort: null})"
    outcome = run(f"{last} {asked}{CAUGHT}", agent=agent, dialect=dialect)
    assert outcome.result == (
        "agent 'small' cannot follow options.isolation; it follows label, model, phase, retry, timeoutMs. "
        "Leave the option out, or choose another agent"
    )
    assert len(calls) == 1
