"""What a run may ask in all: ``maxTotalAgents`` and the budget, and the end of a run that goes on asking."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core.agents.calls import MIN_REFUSALS
from flowcage.host.run.core.commands import Emit, Finish, Tell
from flowcage.host.run.core.inputs import (
    Compiled,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Opened,
    Reason,
    Refused,
    Spent,
    State,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import Budget, Ok, OkUndefined

from .core_inputs import (
    HANDLERS,
    RULES,
    Row,
    acts,
    agent,
    agents,
    answer,
    below,
    commands,
    events,
    line,
    play,
    program,
    refuse,
    retry,
    says,
    sleep,
    wrong,
)

TURN = Turn("")
NEXT = agents(2, 2)
BELOW = (says(below(1)), Opened("1", "below.js", "1"))
TWO_EACH = (agent(1), agent(2), program(3), program(4))
TOTAL_2 = Rules(max_total_agents=2, handlers=HANDLERS)
BUDGET_10 = Rules(budget_tokens=10, handlers=HANDLERS)
IN_ORDER = Rules(budget_tokens=10, max_agents=1, handlers=HANDLERS)
NO = "agent() is refused"

ROWS: dict[str, tuple[Rules, Row, list[str]]] = {
    "calls beyond the total are refused": (
        TOTAL_2,
        [agents(3), TURN],
        ["ready", "ask 1", "ask 2", f"tell 3!{NO}"],
    ),
    "an answer makes no room under the total": (
        TOTAL_2,
        [agents(2), answer(1), TURN, agents(3, 3), answer(2), TURN],
        ["ask 1", "ask 2", "ready", "tell 1=yes", "ready", f"tell 3!{NO} 2=yes"],
    ),
    "further attempts count": (
        TOTAL_2,
        [agents(1, retry=retry(3)), refuse(1), Due("1"), refuse(1), Due("1"), TURN],
        ["ask 1", "wake 1 at 2", "ask 1 attempt 2", "wake 1 at 4", "ready", f"tell 1!{NO}"],
    ),
    "second tries count": (
        TOTAL_2,
        [agents(1, retry=retry(2)), wrong(1), wrong(1), Due("1"), TURN],
        ["ask 1", "ask 1 try 2", "wake 1 at 3", "ready", f"tell 1!{NO}"],
    ),
    "there is no second try beyond the total": (
        TOTAL_2,
        [agents(2), wrong(1), TURN],
        ["ask 1", "ask 2", "ready", f"tell 1!{NO}"],
    ),
    "agents of child workflows count": (
        TOTAL_2,
        [says(agent(1), below(2)), Opened("2", "b", "2"), says(agent(1), agent(2), path="2"), Turn("2")],
        ["ask 1", "ask 2", "2: ready", "ask 2/1", f"2: tell 2!{NO}"],
    ),
    "what a child workflow leaves in its own queue keeps no later call waiting": (
        RULES._replace(max_children=1, max_agents=1),
        [*BELOW, says(*TWO_EACH, path="1"), Ended("1"), answer(1), TURN, NEXT],
        ["ask 1", "ask 1/1", "ask 1/3", "ready", "tell 1=yes", "ask 2"],
    ),
    "calls that are wrong do not count": (
        TOTAL_2,
        [says(agent(1, retry=5), agent(2), agent(3))],
        ["ready", "ask 2", "ask 3"],
    ),
    "other kinds go on beyond the total": (
        TOTAL_2,
        [says(agent(1), agent(2), agent(3), program(4), sleep(5))],
        ["wake 5 at 1.5", "ready", "ask 1", "ask 2", "ask 4"],
    ),
    "a spent budget refuses": (
        BUDGET_10,
        [agents(1), answer(1, tokens=10), TURN, agents(2, 2), TURN],
        ["ask 1", "ready", "tell 1=yes", "ready", f"tell 2!{NO}"],
    ),
    "one token that is left is enough for a call": (
        BUDGET_10,
        [agents(1), answer(1, tokens=9), TURN, agents(2, 2), answer(2, tokens=99), TURN],
        ["ask 1", "ready", "tell 1=yes", "ask 2", "ready", "tell 2=yes"],
    ),
    "a budget of nothing refuses the first": (
        BUDGET_10._replace(budget_tokens=0),
        [agents(1), TURN],
        ["ready", f"tell 1!{NO}"],
    ),
    "what waits while others spend it is not asked": (
        IN_ORDER,
        [agents(4), answer(1, tokens=10), TURN],
        ["ask 1", "ready", f"tell 1=yes 2!{NO} 3!{NO} 4!{NO}"],
    ),
    "nor is a further attempt": (
        BUDGET_10,
        [agents(1, retry=retry(2)), refuse(1, tokens=10), Due("1"), TURN],
        ["ask 1", "wake 1 at 2", "ready", f"tell 1!{NO}"],
    ),
    "nor a further attempt that waits": (
        IN_ORDER,
        [says(agent(1, retry=retry(2)), agent(2)), refuse(1), Due("1"), answer(2, tokens=10), TURN],
        ["ask 1", "wake 1 at 2", "ask 2", "ready", f"tell 2=yes 1!{NO}"],
    ),
    "nor a second try": (
        BUDGET_10,
        [agents(1), wrong(1, tokens=10), TURN],
        ["ask 1", "ready", f"tell 1!{NO}"],
    ),
    "child workflows spend the budget": (
        BUDGET_10,
        [*BELOW, says(agent(1), path="1"), answer("1/1", tokens=10), Ended("1"), answer(1), TURN, NEXT, TURN],
        ["ask 1", "ask 1/1", "1: ready", "ready", "tell 1=yes", "ready", f"tell 2!{NO}"],
    ),
    "a soft budget only informs": (
        BUDGET_10._replace(hard_budget=False),
        [agents(1), answer(1, tokens=99), TURN, agents(2, 2)],
        ["ask 1", "ready", "tell 1=yes", "ask 2"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "inputs", "expected"), ROWS.values(), ids=ROWS)
def test_what_is_refused(rules: Rules, inputs: Row, expected: list[str]) -> None:
    assert acts(inputs, rules) == expected


def test_a_refusal_says_which_limit_it_is() -> None:
    refused = [members["message"] for name, members in events([agents(3)], TOTAL_2) if name == "agent_failed"]
    assert refused == [
        "agent() is refused: this run and its child workflows have asked agents 2 times, "
        "as often as the limit maxTotalAgents allows"
    ]
    inputs: Row = [agents(1), answer(1, tokens=12), TURN, agents(2, 2)]
    refused = [members["message"] for name, members in events(inputs, BUDGET_10) if name == "agent_failed"]
    assert refused == ["agent() is refused: 12 of the budget's 10 tokens are spent"]


TOTAL_1 = Rules(max_total_agents=1)
# Rules, what comes first, and how often the run may ask after that.
STICKY: dict[str, tuple[Rules, Row, int, str]] = {
    "maxTotalAgents": (TOTAL_1, [agents(1), answer(1), TURN], MIN_REFUSALS, "agent_limit"),
    "a budget": (
        BUDGET_10._replace(max_total_agents=120),
        [agents(1), answer(1, tokens=10), TURN],
        120,
        "budget_exhausted",
    ),
    "a budget with few agents": (
        BUDGET_10._replace(max_total_agents=5),
        [agents(1), answer(1, tokens=10), TURN],
        MIN_REFUSALS,
        "budget_exhausted",
    ),
    "many agents": (
        Rules(max_total_agents=150, max_agents=150),
        [agents(150), answer(1), TURN],
        150,
        "agent_limit",
    ),
}


@pytest.mark.parametrize("failure", ["null", "throw"])
@pytest.mark.parametrize(("rules", "before", "most", "verdict"), STICKY.values(), ids=STICKY)
def test_whoever_goes_on_asking_is_ended(
    rules: Rules, before: Row, most: int, verdict: str, failure: Any
) -> None:
    rules = rules._replace(agent_failure=failure)
    core, _ = play(before, rules)
    lines = [
        line(each)
        for number in range(1001, 1001 + most)
        for given in (agents(number, number), TURN)
        for each in core.step(0, given)
        if not isinstance(each, Emit)
    ]

    assert [each.split()[0] for each in lines] == ["ready", "tell"] * (most - 1) + ["finish"]
    assert lines[-1] == f"finish {verdict}"


def test_refusals_of_all_workflows_count_and_the_root_is_what_ends() -> None:
    inputs: Row = [says(agent(1), below(2)), Opened("2", "b", "2"), agents(200)._replace(path="2")]
    (finish,) = (
        each for each in commands(inputs, TOTAL_1._replace(handlers=HANDLERS)) if isinstance(each, Finish)
    )

    assert (finish.path, finish.verdict) == ("", "agent_limit")
    assert finish.message.startswith(
        "the workflow went on after 100 refusals; the last: agent() is refused: "
    )


def test_refusals_for_any_other_reason_end_nothing() -> None:
    inputs = [each for n in range(1, 500) for each in (agents(n, n), refuse(n), TURN)]

    assert not any("finish" in each for each in acts(inputs))


def test_with_the_refusal_that_ends_the_run_nothing_more_is_begun() -> None:
    last = says(*(agent(n) for n in range(2, 102)), agent(102), sleep(103), program(104))
    found = commands([agents(1), answer(1), TURN, last, TURN], TOTAL_1._replace(handlers=HANDLERS))

    queued = [each for each in found if isinstance(each, Emit) and each.type == "agent_queued"]
    assert len(queued) == 1 + MIN_REFUSALS
    (end,) = (n for n, each in enumerate(found) if isinstance(each, Finish))
    assert {type(each) for each in found[end:]} == {Finish, Emit}


def test_calls_that_waited_when_the_run_was_ended_are_cancelled_with_it() -> None:
    inputs: Row = [agents(150), answer(1, tokens=10), Ended("")]
    rules = IN_ORDER._replace(max_total_agents=MIN_REFUSALS + 50)
    core, _ = play(inputs, rules)

    totals = core.tree.totals
    assert (totals.started, totals.completed, totals.refused) == (1, 1, 149)
    core, _ = play([agents(300), answer(1, tokens=10), Ended("")], rules._replace(max_total_agents=200))
    totals = core.tree.totals
    assert (totals.started, totals.refused, totals.cancelled, totals.completed) == (1, 200, 99, 1)


@pytest.mark.parametrize("end", [Failed("", "no"), says(state=State.MORE), says(state=State.COMPLETE)])
@pytest.mark.parametrize("late", [answer(2, tokens=5), refuse(2, tokens=5), wrong(2, tokens=5)])
def test_what_comes_after_the_end_is_charged_once_and_counts_as_cancelled(end: Input, late: Input) -> None:
    core, _ = play([agents(2), answer(1, tokens=10), TURN, end, late, late, Ended("")])

    totals = core.tree.totals
    assert (totals.completed, totals.failed, totals.cancelled, totals.tokens) == (1, 0, 1, 15)


def test_an_answer_is_charged_when_it_is_heard() -> None:
    paid = Heard("1", "yes", Spent(7, 0.5))
    core, _ = play([says(agent(1), program(2)), paid, paid, Heard("2", "", Spent(1)), refuse(1), paid])

    totals = core.tree.totals
    assert (totals.tokens, totals.cost_usd, totals.failed) == (7, 0.5, 1)


@pytest.mark.parametrize("end", [Failed("", "no"), says(state=State.MORE)])
def test_an_answer_that_is_heard_after_the_end_is_charged_once(end: Input) -> None:
    late = Heard("2", "yes", Spent(5))
    core, _ = play([agents(2), answer(1), TURN, end, late, late, answer(2), answer(2, tokens=9), Ended("")])

    assert (core.tree.totals.tokens, core.tree.totals.cancelled) == (5, 1)


def test_what_is_heard_counts_for_the_budget_of_others() -> None:
    heard: list[Input] = [agents(2), Heard("1", "x", Spent(10)), answer(2), TURN]
    told = commands(heard, BUDGET_10)[-1]
    core, _ = play([*heard, says(agent(3))], BUDGET_10)

    assert isinstance(told, Tell)
    assert told.resolves[0].resolution == Ok("yes", Budget(10, 10))
    assert core.tree.totals.refused == 1


@pytest.mark.parametrize("state", [State.MORE, State.COMPLETE])
def test_what_is_not_begun_counts_for_nothing(state: State) -> None:
    core, _ = play([says(*map(agent, range(1, 500)), state=state)], TOTAL_1)

    assert (core.tree.admitted, core.tree.refusals, core.tree.totals.refused) == (0, 0, 0)


RIDING: dict[str, tuple[Row, list[Any]]] = {
    "each answer has the budget as it was then": (
        [agents(3), answer(1, tokens=3), answer(2, tokens=4), answer(3), TURN],
        [Ok("yes", Budget(10, 3)), Ok("yes", Budget(10, 7)), Ok("yes", Budget(10, 7))],
    ),
    "what a failure cost is in it": (
        [agents(2), refuse(1, tokens=4), answer(2), TURN],
        [Ok("yes", Budget(10, 4))],
    ),
    "what a refused answer cost is in it": (
        [agents(1), wrong(1, tokens=4), answer(1, tokens=5), TURN],
        [Ok("yes", Budget(10, 9))],
    ),
    "what a null cost is in it": (
        [Compiled("", "script"), agents(1), refuse(1, tokens=4), TURN],
        [Ok(None, Budget(10, 4))],
    ),
    "programs and child workflows have it, too": (
        [says(program(1), below(2), agent(3)), answer(3, tokens=5), answer(2), answer(1), TURN],
        [Ok("yes", Budget(10, 5))] * 3,
    ),
    "it is a number that can be sent": (
        [agents(2), answer(1, tokens=2**53), answer(2, tokens=1), TURN],
        [Ok("yes", Budget(10, 2**53 - 1))] * 2,
    ),
    "a sleep has none": ([says(sleep(1)), Due("1"), TURN], [OkUndefined()]),
    "late answers are free": (
        [agents(2), answer(1, tokens=2), answer(1, tokens=5), answer(2), TURN],
        [Ok("yes", Budget(10, 2)), Ok("yes", Budget(10, 2))],
    ),
}


@pytest.mark.parametrize(("inputs", "expected"), RIDING.values(), ids=RIDING)
def test_budgets_ride_on_resolutions(inputs: Row, expected: list[Any]) -> None:
    told = [each for tell in commands(inputs, BUDGET_10) if isinstance(tell, Tell) for each in tell.resolves]

    assert [each.resolution for each in told if not hasattr(each.resolution, "message")] == expected


def test_without_a_budget_the_spent_tokens_are_told_all_the_same() -> None:
    (tell,) = (each for each in commands([agents(1), answer(1, tokens=3), TURN]) if isinstance(each, Tell))

    assert tell.resolves[0].resolution == Ok("yes", Budget(None, 3))


def test_dollars_are_counted_with_tokens() -> None:
    core, _ = play([agents(1), Refused("1", "no", Reason.TIMEOUT, spent=Spent(4, 0.25, 1.0))], RULES)

    assert (core.tree.totals.tokens, core.tree.totals.cost_usd) == (4, 0.25)
