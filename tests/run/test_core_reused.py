"""Requests that another run has the answers of: neither queue nor cap nor bill has them, the budget does."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core.inputs import Opened, Reused, Spent, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import MISSING

from .core_inputs import HANDLERS, QUIET, acts, agent, agents, answer, below, events, play, says, sleep


def known(said: Any, **old: str) -> Any:
    """A drain some of whose requests are known."""
    return said._replace(known={name.removeprefix("_"): request for name, request in old.items()})


def reused(identifier: int | str, value: Any = "old", tokens: int = 0, **more: Any) -> Reused:
    return Reused(str(identifier), value, "before", f"old {identifier}", spent=Spent(tokens), **more)


def test_what_is_known_is_not_asked_and_its_answer_is_told() -> None:
    said = known(agents(3), _1="a", _3="c")
    known_lines = acts([said, reused(1), Turn(""), QUIET, answer(2), reused(3), Turn("")])
    asked_lines = acts([agents(3), answer(1, "old"), Turn(""), QUIET, answer(2), answer(3, "old"), Turn("")])

    assert [line for line in asked_lines if line not in known_lines] == [asked_lines[0], asked_lines[2]]
    assert [line for line in known_lines if line not in asked_lines] == []


def test_what_is_known_counts_against_no_cap_and_no_place_at_work() -> None:
    rules = Rules(handlers=HANDLERS, max_agents=1, max_total_agents=1)
    core, _ = play([known(agents(3), _1="a", _2="b"), reused(1), reused(2), answer(3)], rules)

    assert core.tree.admitted == 1
    assert (core.tree.totals.started, core.tree.totals.completed, core.tree.totals.refused) == (1, 1, 0)
    assert core.tree.totals.reused == 2


def test_tokens_of_an_old_answer_are_seen_in_the_budget_and_not_billed() -> None:
    rules = Rules(handlers=HANDLERS, budget_tokens=10)
    core, _ = play([known(agents(2), _1="a"), reused(1, tokens=10), Turn(""), says(agent(3))], rules)

    assert core.tree.budget.spent == 10
    assert (core.tree.totals.tokens, core.tree.totals.reused_tokens) == (0, 10)
    assert core.tree.totals.refused == 1  # the workflow sees that nothing is left, and that is so


@pytest.mark.parametrize(
    "given",
    [
        [agents(1), reused(1)],  # is asked already
        [known(agents(1), _1="a"), reused(1), reused(1)],
        [known(agents(1), _1="a"), answer(1)],  # nobody was asked
        [agents(1), reused(7)],
    ],
)
def test_an_old_answer_that_nobody_waits_for_changes_nothing(given: list[Any]) -> None:
    assert play(given)[1][-1] == []


def test_a_sleep_is_over_and_a_child_workflow_has_its_result() -> None:
    _, found = play([known(says(sleep(1)), _1="a"), reused(1, MISSING, agents=0), Turn("")])
    assert [type(each).__name__ for each in found[-1]] == ["Tell"]
    core, found = play([says(below(1)), reused(1, {"r": 1}, tokens=7, agents=3), Turn("")])
    assert core.tree.totals.reused == 3
    assert found[-1][0].resolves[0].resolution.value == {"r": 1}  # type: ignore[union-attr]
    assert play([says(below(1)), reused(1), answer(1, "late")])[1][-1] == []


def test_it_is_told_where_an_answer_is_from() -> None:
    told = dict(events([known(agents(1), _1="a"), reused(1, tokens=5)]))["agent_completed"]

    assert (told["cached"], told["from_run_id"], told["from_request_id"]) == (True, "before", "old 1")
    assert (told["tokens"], told["attempt"], told["value"]) == (5, 0, "old")


def test_nothing_of_a_workflow_that_is_over_is_told() -> None:
    inputs = [says(below(1)), Opened("1", "b.js", "1"), known(says(agent(1), path="1"), _1="a")]
    core, _ = play(inputs)
    core.tree.workflows["1"].is_over = True
    assert core.step(99.0, reused("1/1")) == []
