"""Tables of inputs and commands: how ceilings in tokens and dollars are held while calls are at work."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core.agents.spending import Left
from flowcage.host.run.core.commands import Ask
from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Ended,
    Heard,
    Input,
    Opened,
    Reason,
    Refused,
    Spent,
    Turn,
)
from flowcage.host.run.core.rules import Rules

from .core_inputs import HANDLERS, Row, acts, agent, agents, below, events, play, retry, says, wrong

TURN = Turn("")
USD = Rules(handlers=HANDLERS, max_cost_usd=1.0, paced=True)
TOKENS = Rules(handlers=HANDLERS, budget_tokens=100, paced=True)


def paid(identifier: int | str, usd: float | None = 0.0, tokens: int = 0) -> Answered:
    return Answered(str(identifier), "yes", Spent(tokens, usd))


def failed(identifier: int | str, usd: float | None = 0.0, tokens: int = 0) -> Refused:
    return Refused(str(identifier), "no", spent=Spent(tokens, usd))


def asks(inputs: Row, rules: Rules = USD) -> list[str]:
    return [each for each in acts(inputs, rules) if each.startswith("ask")]


def asked_after(inputs: Row, rules: Rules = USD) -> list[str]:
    """Those that the last input led to."""
    return asks(inputs, rules)[len(asks(inputs[:-1], rules)) :]


FIVE: list[Input] = [agents(5)]
AT_ONCE = ["ask 2", "ask 3", "ask 4", "ask 5"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (FIVE, ["ask 1"]),  # until one has an answer, nothing is known to reckon with
        ([*FIVE, paid(1, 0.1)], AT_ONCE),
        ([*FIVE, paid(1, 0.0)], AT_ONCE),
        (
            [*FIVE, paid(1, 0.3)],
            ["ask 2", "ask 3", "ask 4"],
        ),  # 0.3 + 2 * 0.3 is less than a dollar
        ([*FIVE, paid(1, 0.5)], ["ask 2"]),  # 0.5 + 0.5 is the ceiling
        ([*FIVE, paid(1, 0.6)], ["ask 2"]),
        ([*FIVE, paid(1, 0.3), paid(2, 0.0)], ["ask 5"]),
        ([*FIVE, paid(1, 0.3), paid(2, 0.3)], []),  # 0.6, and two at work
        ([*FIVE, paid(1, 1.0)], []),
        ([*FIVE, paid(1, 2.0)], []),
        ([*FIVE, failed(1, 0.0)], ["ask 2"]),  # a failure that has cost nothing tells nothing
        ([*FIVE, failed(1, 0.1)], AT_ONCE),
        ([*FIVE, failed(1, 0.5)], ["ask 2"]),
        ([*FIVE, Charged("1", Spent(0, 0.4))], ["ask 2"]),  # 1 is at work on
        ([*FIVE, Heard("1", "x", Spent(0, 0.4))], ["ask 2"]),
        ([*FIVE, paid(1, None)], []),
        ([*FIVE, paid(1, 0.1), Ended("")], []),
    ],
)
def test_a_call_begins_where_those_at_work_leave_enough(inputs: list[Input], expected: list[str]) -> None:
    assert asked_after(inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (FIVE, ["ask 1"]),
        ([*FIVE, paid(1, None, 10)], AT_ONCE),  # what it costs is not asked
        ([*FIVE, paid(1, 9.0, 30)], ["ask 2", "ask 3", "ask 4"]),
        ([*FIVE, paid(1, 0.0, 50)], ["ask 2"]),
        ([*FIVE, paid(1, 0.0, 0)], AT_ONCE),
        ([*FIVE, paid(1, 0.0, 100)], []),
    ],
)
def test_a_hard_budget_is_held_in_the_same_way(inputs: list[Input], expected: list[str]) -> None:
    assert asked_after(inputs, TOKENS) == expected
    soft = TOKENS._replace(hard_budget=False)
    assert asks(inputs, soft) == ["ask 1", *AT_ONCE]


def test_runs_of_before_the_rule_go_on_as_they_did() -> None:
    for rules in (USD, TOKENS):
        old = rules._replace(paced=False)
        assert asks(FIVE, old) == ["ask 1", *AT_ONCE]
        assert asks([*FIVE, paid(1, 1.0, 100), TURN, agents(6, 6)], old) == ["ask 1", *AT_ONCE]


def test_without_a_ceiling_all_begin_at_once() -> None:
    assert asks(FIVE, Rules(handlers=HANDLERS, paced=True)) == ["ask 1", *AT_ONCE]


def told(inputs: Row, rules: Rules = USD) -> list[str]:
    """Why calls have failed."""
    return [members["message"] for kind, members in events(inputs, rules) if kind == "agent_failed"]


SPENT = "agent() is refused: $1.2500 of the run's ceiling of $1 are spent"
NOT_KNOWN = (
    "agent() is refused: what an answer has cost is not known ({}), so the run's ceiling of $1 cannot be held"
)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([*FIVE, paid(1, 1.25)], [SPENT] * 4),
        ([*FIVE, paid(1, 0.9), paid(2, 0.35), TURN, agents(6, 6)], [SPENT] * 4),
        ([*FIVE, paid(1, None)], [NOT_KNOWN.format("an agent told no model")] * 4),
        (
            [*FIVE, Answered("1", "x", Spent(0, None), {"model": "m"})],
            [NOT_KNOWN.format("the model is 'm'")] * 4,
        ),
        ([agents(2), failed(1, None, 5)], ["no", NOT_KNOWN.format("an agent told no model")]),
        ([agents(1, retry=retry(3)), failed(1, 1.25)], ["no"]),
    ],
)
def test_why_no_agent_is_asked_any_more(inputs: list[Input], expected: list[str]) -> None:
    assert told(inputs) == expected


def test_a_call_that_goes_on_waits_for_its_turn_in_order() -> None:
    """A retry waits behind those that came before it, and for those at work."""
    inputs: list[Input] = [agents(3, retry=retry(2)), failed(1, 0.5)]
    assert asks(inputs) == ["ask 1", "ask 2"]


def test_a_second_try_is_refused_where_others_may_spend_the_rest() -> None:
    row: list[Input] = [agents(3), paid(1, 0.3), wrong(2)]
    assert asks(row)[-1] == "ask 2 try 2"
    dear = Refused("2", "no number", Reason.WRONG_ANSWER, "5", Spent(0, 0.5))
    message = "the agent is not asked once more: what is left of the ceilings, others at work may spend"
    assert told([agents(3), paid(1, 0.3), dear]) == [message]
    alone: list[Input] = [agents(1), Refused("1", "no number", Reason.WRONG_ANSWER, "5", Spent(0, 0.5))]
    assert asks(alone) == ["ask 1", "ask 1 try 2"]


def test_child_workflows_share_the_ceiling() -> None:
    child: list[Input] = [
        says(below(1), agent(2)),
        Opened("1", "kid.js", "1"),
        says(agent(1), agent(2), path="1"),
    ]
    assert asks([*child, paid(2, 0.5)]) == ["ask 2", "ask 1", "ask 1/1"]
    assert asks([*child, paid(2, 0.5), paid("1/1", 0.25)])[3:] == ["ask 1/2"]
    assert asks([*child, paid(2, 0.5), paid("1/1", 0.5)])[3:] == []


@pytest.mark.parametrize(
    ("inputs", "rules", "left"),
    [
        (FIVE, USD, Left(None, 1.0)),
        ([*FIVE, paid(1, 0.1)], USD, Left(None, 0.6)),  # 0.1 is spent, and three others may spend as much
        ([*FIVE, paid(1, 0.3)], USD, Left(None, 0.1)),
        ([*FIVE, paid(1, 1.25)], USD, Left(None, 0.0)),
        ([*FIVE, paid(1, 0.1, 10)], TOKENS, Left(60, None)),
        (FIVE, Rules(handlers=HANDLERS, paced=True), Left(None, None)),
    ],
)
def test_what_a_call_may_spend(inputs: list[Input], rules: Rules, left: Left) -> None:
    core, _ = play(inputs, rules)
    assert core.tree.left("1") == left


@pytest.mark.parametrize("rules", [USD, TOKENS])
def test_a_run_goes_beyond_by_less_than_one_call(rules: Rules) -> None:
    """Whatever 60 calls cost, as long as none costs more than the first."""
    for seed in range(50):
        core, now, cost = play([agents(60)], rules)[0], 1.0, [0.13, 13]
        numbers: list[Any] = [cost]
        at_work = ["1"]
        while at_work:
            now, seed = now + 1, (seed * 1103515245 + 12345) % 2**31
            number = at_work.pop(seed % len(at_work))
            usd, tokens = numbers[0] if number == "1" else (0.13 * (seed % 7) / 6, seed % 14)
            commands = core.step(now, paid(number, usd, tokens))
            at_work += [each.id for each in commands if isinstance(each, Ask)]
        totals = core.tree.totals
        assert totals.cost_usd < 1.0 + 0.13 if rules is USD else totals.tokens < 100 + 13
        assert totals.completed < 60
        assert totals.refused + totals.completed == 60


def test_a_workflow_that_goes_on_asking_is_ended() -> None:
    many: list[Input] = [says(*(agent(number) for number in range(1, 102))), paid(1, 1.0)]
    rules = USD._replace(max_total_agents=1000)
    assert "finish cost_exhausted" not in acts(many, rules)
    many = [says(*(agent(number) for number in range(1, 1102))), paid(1, 1.0)]
    assert "finish cost_exhausted" in acts(many, rules)


def test_a_model_without_a_price_is_told_once() -> None:
    unpriced = [
        Answered(str(n), "x", Spent(5, None), {"model": m}) for n, m in ((1, "m"), (2, "m"), (3, "o"))
    ]
    told_none = Answered("4", "x", Spent(5, None))
    core, _ = play([agents(4), *unpriced, told_none], Rules(handlers=HANDLERS))
    notes = core.tree.workflows[""].kept.diagnostics.entries
    assert [(note["kind"], note["model"]) for note in notes] == [
        ("unpriced_model", "m"),
        ("unpriced_model", "o"),
    ]
    assert core.tree.totals.unpriced == 4
    assert {name: costs.unpriced for name, costs in core.tree.books.models.items()} == {"m": 2, "o": 1}


def test_costs_by_model_have_bounds_and_take_no_nonsense() -> None:
    usage = {"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}
    bad: list[Any] = [
        None,
        5,
        {},
        usage | {"input": -1},
        usage | {"output": 1.5},
        usage | {"cacheRead": True},
    ]
    facts = [{"model": f"m{number}", "usage": usage} for number in range(150)]
    facts += [{"model": "m0", "usage": each} for each in bad]
    inputs = [Answered(str(n), "x", Spent(3, 0.5), each) for n, each in enumerate(facts, 1)]
    core, _ = play([agents(len(inputs)), *inputs], Rules(handlers=HANDLERS, max_agents=1000))
    models, totals = core.tree.books.models, core.tree.totals
    assert len(models) == 101
    assert models["(other models)"].answers == 50
    assert (models["m0"].answers, models["m0"].input, models["m0"].cost_usd) == (7, 1, 3.5)
    assert (totals.input, totals.output, totals.cache_read, totals.cache_write) == (150, 300, 450, 600)
