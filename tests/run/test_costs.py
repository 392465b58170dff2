"""What agents cost, from what they tell to the events, the report, and what the next one may spend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, CostExhausted, ModelUsage, RequestRejected, RunOptions
from flowcage.agents import AgentError, AgentUsage, Progress, WrongAnswer
from flowcage.host.workflows.child_workflows import ChildWorkflows

from ..host.runs import Listener, failure, run

USAGE = AgentUsage(3, 4, 5, 6)
SCHEMA = "{schema: {type: 'number'}}"
CAUGHT = ".catch((error) => error.message)"
ENDS = ("agent_completed", "agent_failed", "answer_refused")
COSTS = ("tokens", "usage", "costUsd", "model")


async def costly(call: AgentCall) -> AgentAnswer:
    """Does what the prompt says, for a quarter of a dollar."""
    spent: Any = {"usage": USAGE, "cost_usd": 0.25, "model": "m"}
    match call.prompt:
        case "fails":
            raise AgentError("no", **spent)
        case "is wrong":
            return AgentAnswer("no number", **spent)
        case "raises wrong":
            raise WrongAnswer("no number", "five", **spent)
        case "tells and fails":
            call.tell(Progress(**spent))
            raise AgentError("no")
        case "tells and is rejected":
            call.tell(Progress(**spent))
            raise RequestRejected("no")
        case "tells and answers":
            call.tell(Progress(usage=AgentUsage(1), cost_usd=0.125))
            call.tell(Progress(**spent))
            return AgentAnswer(1)
        case "takes long":
            call.tell(Progress(**spent))
            await trio.sleep_forever()
    return AgentAnswer(1, **spent)


@pytest.mark.parametrize(
    ("call", "kinds"),
    [
        ("'answers'", ["agent_completed"]),
        ("'tells and answers'", ["agent_completed"]),
        (f"'answers', {SCHEMA}", ["agent_completed"]),
        ("'fails'", ["agent_failed"]),
        ("'fails', {retry: {maxAttempts: 3}}", ["agent_failed"] * 3),
        ("'tells and fails'", ["agent_failed"]),
        ("'tells and is rejected'", ["agent_failed"]),
        ("'takes long', {timeoutMs: 20}", ["agent_failed"]),
        (f"'is wrong', {SCHEMA}", ["answer_refused"] * 2),
        (f"'raises wrong', {SCHEMA}", ["answer_refused"] * 2),
        ("'is wrong', {schema: {type: 'string', pattern: '^<'}}", ["answer_refused"] * 2),
    ],
)
def test_each_cost_is_in_one_event_and_in_the_report(call: str, kinds: list[str]) -> None:
    listener = Listener()
    usage = run(f"export default agent({call}){CAUGHT}", agent=costly, listener=listener).usage
    told = [
        each
        for each in listener.heard
        if each["type"] in ("agent_completed", "agent_failed", "answer_refused")
    ]
    charged = [each for each in told if each["costUsd"]]
    assert [each["type"] for each in charged] == kinds
    assert [[each[name] for name in COSTS] for each in charged] == [[7, USAGE.to_json(), 0.25, "m"]] * len(
        kinds
    )
    assert [each["tokens"] for each in told if each not in charged] == [0] * (len(told) - len(charged))
    count = len(kinds)
    assert (usage.tokens, usage.cost_usd, usage.unpriced) == (7 * count, 0.25 * count, 0)
    detail = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    assert detail == (3 * count, 4 * count, 5 * count, 6 * count)
    assert usage.by_model == {
        "m": ModelUsage(
            count,
            7 * count,
            0.25 * count,
            input_tokens=detail[0],
            output_tokens=detail[1],
            cache_read_tokens=detail[2],
            cache_write_tokens=detail[3],
        )
    }
    assert usage.by_phase[""].cost_usd == usage.cost_usd
    assert usage.by_phase[""].input_tokens == usage.input_tokens
    assert usage.to_json()["byModel"]["m"]["cacheReadTokens"] == detail[2]


def test_an_agent_that_is_cut_off_with_its_workflow_has_spent_what_it_told(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text("agent('takes long'); await SW.extra.sleep(20); export default 1")
    source = "export default [await workflow({scriptPath: 'kid.js'}), budget.spent()]"
    listener = Listener()
    outcome = run(source, agent=costly, workflow=ChildWorkflows(tmp_path), listener=listener)
    assert outcome.result == [1, 7]
    assert [(each["tokens"], each["costUsd"]) for each in listener.of("agent_cancelled")] == [(7, 0.25)]
    assert (outcome.usage.cost_usd, outcome.usage.by_model["m"].answers) == (0.25, 1)


def test_a_cost_that_nobody_knows_is_not_nothing() -> None:
    async def agent(call: AgentCall) -> AgentAnswer:
        return AgentAnswer(1, usage=USAGE, model=call.prompt)

    listener = Listener()
    source = "for (const name of ['a', 'a', 'b']) await agent(name); export default 1"
    outcome = run(source, agent=agent, listener=listener)
    assert [each["costUsd"] for each in listener.of("agent_completed")] == [None] * 3
    assert (outcome.usage.cost_usd, outcome.usage.unpriced) == (0.0, 3)
    assert {name: each.unpriced for name, each in outcome.usage.by_model.items()} == {"a": 2, "b": 1}
    assert [note["kind"] for note in outcome.report.diagnostics] == ["unpriced_model"] * 2
    assert outcome.report.diagnostics[0]["message"] == (
        "what model 'a' costs is not known, so its answers are missing in costUsd; an agent can tell it "
        "(costUsd), and a later genai-prices may have it"
    )


FIVE = f"export default await Promise.all([1, 2, 3, 4, 5].map((n) => agent('answers'){CAUGHT}))"


def test_a_ceiling_in_dollars_is_held() -> None:
    outcome = run(FIVE, agent=costly, max_cost_usd=0.6)
    refused = "agent() is refused: $0.7500 of the run's ceiling of $0.6 are spent"
    assert outcome.result == [1, 1, 1, refused, refused]
    assert (outcome.usage.cost_usd, outcome.census.refused) == (0.75, 2)


@pytest.mark.parametrize("told", [None, "m"])
def test_with_a_ceiling_nothing_is_asked_after_a_cost_that_nobody_knows(told: str | None) -> None:
    async def agent(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer(1, model=told)

    result = run(FIVE, agent=agent, max_cost_usd=0.6).result
    why = "an agent told no model" if told is None else "the model is 'm'"
    refused = (
        f"agent() is refused: what an answer has cost is not known ({why}), so the run's ceiling of $0.6 "
        "cannot be held"
    )
    assert result == [1, *[refused] * 4]


def test_a_workflow_that_goes_on_asking_ends() -> None:
    source = "for (;;) await agent('answers').catch(() => 0)"
    error = failure(source, agent=costly, max_cost_usd=0.25, max_total_agents=5)
    assert isinstance(error, CostExhausted)
    assert error.verdict == "cost_exhausted"
    assert error.report.usage.cost_usd == 0.25
    assert "the workflow went on after 100 refusals; the last: agent() is refused: $0.2500" in str(error)


def test_an_agent_is_told_what_it_may_spend() -> None:
    left: list[tuple[float | None, int | None, str | None]] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        left.append((call.cost_left, call.tokens_left, call.problem and "again"))
        return AgentAnswer("wrong" if call.schema and not call.problem else 1, tokens=10, cost_usd=0.25)

    source = f"await agent('a'); await agent('b', {SCHEMA}); await agent('c'); export default 1"
    run(source, agent=agent, max_cost_usd=2.0, budget_tokens=100)
    assert left == [(2.0, 100, None), (1.75, 90, None), (1.5, 80, "again"), (1.25, 70, None)]
    left.clear()
    run(source, agent=agent)
    assert left == [(None, None, None)] * 2 + [(None, None, "again"), (None, None, None)]


@pytest.mark.parametrize("most", [0, -1.5, float("nan"), float("inf"), True, "5"])
def test_a_ceiling_is_an_amount(most: float) -> None:
    with pytest.raises(ValueError, match="max_cost_usd must be finite and above 0"):
        RunOptions(max_cost_usd=most)
