"""Tables: what agents at work have told that they spent counts once, and only where no answer says it."""

from __future__ import annotations

import pytest

from flowcage.host.run.core.agents.spending import Left
from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Due,
    Ended,
    Failed,
    Heard,
    Input,
    Opened,
    Reason,
    Refused,
    Spent,
    Told,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.past import interrupted

from .core_inputs import HANDLERS, Row, acts, agents, below, events, play, retry, says

USAGE = {"input": 3, "output": 4, "cacheRead": 0, "cacheWrite": 0}
TOLD = Told("1", Spent(7, 0.5), {"usage": USAGE, "model": "m"})
LESS = Answered("1", "yes", Spent(1, 0.25), {"usage": USAGE | {"input": 1}, "model": "m"})
USD = Rules(handlers=HANDLERS, max_cost_usd=1.0, paced=True)
OTHER = agents(3, retry=retry(2))


def outstanding(row: Row, rules: Rules = USD) -> list[tuple[str, float | None]]:
    """What the next life is to charge."""
    return [(each.id, each.spent.cost_usd) for each in interrupted.charges(play(row, rules)[0].tree)]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([OTHER], []),
        ([OTHER, TOLD], [("1", 0.5)]),
        (
            [OTHER, TOLD, TOLD._replace(spent=Spent(8, 0.75))],
            [("1", 0.75)],
        ),  # in the place of the word before
        ([OTHER, TOLD, LESS], []),
        ([OTHER, TOLD, Charged("1", Spent(7, 0.5))], []),
        ([OTHER, TOLD, Heard("1", "yes", Spent(7, 0.5))], []),
        ([OTHER, Heard("1", "yes", Spent(7, 0.5)), TOLD], []),  # the answer says it
        ([OTHER, TOLD, Refused("1", "no")], []),
        ([OTHER, TOLD, Refused("1", "no"), TOLD], []),  # nobody is at work
        ([agents(1, retry=retry(2)), TOLD, Refused("1", "no"), Due("1"), TOLD], [("1", 0.5)]),
        ([OTHER, TOLD, Refused("1", "no", Reason.WRONG_ANSWER, "x")], []),
        ([OTHER, TOLD, Refused("1", "no", Reason.WRONG_ANSWER, "x"), TOLD], [("1", 0.5)]),
        ([OTHER, Told("2", Spent(7, 0.5))], []),  # it waits
        ([OTHER, TOLD, Ended("")], []),
        ([says(below(1)), Told("1", Spent(7, 0.5))], []),
    ],
)
def test_what_is_told_waits_for_what_comes_of_the_question(
    inputs: list[Input], expected: list[tuple[str, float]]
) -> None:
    assert outstanding(inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "cost"),
    [
        ([OTHER, TOLD], 0.0),
        ([OTHER, TOLD, LESS], 0.25),  # the answer knows it better
        ([OTHER, TOLD, Charged("1", *TOLD[1:]), LESS], 0.75),  # a host had ended, and another one has asked
        ([OTHER, TOLD, Charged("1", *TOLD[1:]), Ended("")], 0.5),
        ([OTHER, TOLD, LESS, Ended("")], 0.25),
        ([OTHER, TOLD, Ended("")], 0.5),  # of a workflow that no other life has gone on with
        ([OTHER, TOLD, Ended("", frozenset({"2"}))], 0.5),
    ],
)
def test_what_was_told_is_charged_once(inputs: list[Input], cost: float) -> None:
    totals = play(inputs, USD)[0].tree.totals
    assert (totals.cost_usd, totals.unpriced) == (cost, 0)


def test_what_is_told_after_the_end_of_a_workflow_keeps_the_place_of_its_agent() -> None:
    rules = USD._replace(max_cost_usd=None, max_agents=1)
    kid = says(below(1), path="")
    asked: list[Input] = [kid, Opened("1", "kid.js", "1"), agents(1)._replace(path="1"), Failed("1", "no")]
    late = Told("1/1", Spent(7, 0.5))
    last = Charged("1/1", Spent(8, 0.75))
    core, _ = play([*asked, late], rules)
    assert sum(queue.busy for queue in core.tree.queues.values()) == 1
    core, _ = play([*asked, late, last, Ended("1")], rules)
    assert core.tree.totals.cost_usd == 0.75


def test_by_model_and_in_events_an_answer_counts_as_if_nothing_had_been_told() -> None:
    core, _ = play([OTHER, TOLD, LESS], USD)
    silent, _ = play([OTHER, LESS], USD)
    assert core.tree.books == silent.tree.books
    assert events([OTHER, TOLD, LESS]) == events([OTHER, LESS])


def test_pacing_does_not_reckon_with_what_is_only_told() -> None:
    assert [each for each in acts([OTHER, TOLD], USD) if each.startswith("ask")] == ["ask 1"]
    core, _ = play([OTHER, TOLD], USD)
    assert core.tree.left("1") == Left(None, 1.0)


@pytest.mark.parametrize(
    ("spent", "heard", "expected"),
    [
        (0.5, [], []),
        (1.0, [], ["1"]),
        (None, [], ["1"]),  # any amount
        (1.0, [Heard("1", "yes", Spent(0, 0.0))], []),  # it is only checked again
    ],
)
def test_who_was_at_work_is_not_asked_again_where_a_ceiling_is_reached(
    spent: float | None, heard: list[Input], expected: list[str]
) -> None:
    core, _ = play([agents(1), Charged("1", Spent(1, spent)), *heard, Turn("")], USD)
    found = interrupted.refusals(core.tree, core.tree.workflows[""])
    assert [each.id for each in found] == expected
    assert all("ceiling of $1" in each.message for each in found)
