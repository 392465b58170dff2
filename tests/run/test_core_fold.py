"""A run is the fold of its inputs, costs in proportion to them, and takes a new kind of request by a row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from flowcage.host.run.core.commands import Ask, Emit, Tell
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Compiled, Due, Ended, Input, Opened, State, Turn
from flowcage.host.run.core.kinds import KINDS, Kind, Kinds
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import Log, Phase, UnknownRequest

from .core_inputs import (
    COMPLETE,
    QUIET,
    RULES,
    At,
    Row,
    acts,
    agent,
    agents,
    answer,
    below,
    commands,
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
RICH: Row = [
    Compiled("", "script"),
    says(Phase("a", {"n": 1}), Log([1]), agent(1, retry=retry(2)), agent(2, phase="b"), below(3), sleep(4)),
    Opened("3", "below.js", "3"),
    At(2.5, refuse(1, tokens=3)),
    says(agent(1), program(2), UnknownRequest("3", "new"), path="3"),
    Turn("3"),
    wrong(2, "four"),
    At(1, Due("1")),
    answer(2, "five", tokens=7),
    Due("4"),
    TURN,
    answer("3/1"),
    Ended("3"),
    refuse(3),
    QUIET,
    TURN,
    says({"kind": "swallowed_error", "message": "m"}, state=State.MORE),
    COMPLETE,
    Ended(""),
]


def test_two_cores_with_the_same_inputs_give_the_same_commands_and_have_the_same_state() -> None:
    (one, first), (two, second) = play(RICH), play(RICH)

    assert sum(map(len, first)) > 25
    assert first == second
    assert vars(one.tree) == vars(two.tree)


def test_nobody_who_watches_changes_the_run() -> None:
    assert acts(RICH) == [line(each) for each in commands(RICH, RULES._replace(watched=False))]
    assert not any(isinstance(each, Emit) for each in commands(RICH, RULES._replace(watched=False)))
    (watched, _), (unwatched, _) = play(RICH), play(RICH, RULES._replace(watched=False))
    assert watched.tree.totals == unwatched.tree.totals
    assert watched.tree.phases == unwatched.tree.phases


class HumanInput(NamedTuple):
    """A kind of request that only this test knows."""

    id: str
    question: str


HUMAN = Kind("human_input", cap="max_children", absent="nobody is here")
BOUNDED = HUMAN._replace(total="max_total_children", over="no more than {} questions")
ASKED = says(HumanInput("1", "a"), HumanInput("2", "b"), agent(3))
BY_HUMANS = Rules(max_children=1, max_total_children=1, handlers=frozenset({"human_input", "agent"}))
NESTED: Row = [
    says(below(1)),
    Opened("1", "below.js", "1"),
    says(HumanInput("1", "a"), HumanInput("2", "b"), path="1"),
]

GROWTH: dict[str, tuple[Rules, Kind, Row, list[str]]] = {
    "it waits for its place, and its answer is what the workflow gets": (
        BY_HUMANS,
        HUMAN,
        [ASKED, answer(1, 5), answer(2, 6), TURN],
        ["ask 3", "ask 1", "ready", "ask 2", "tell 1=5 2=6"],
    ),
    "it can be refused": (
        BY_HUMANS,
        HUMAN,
        [ASKED, refuse(1), TURN],
        ["ask 3", "ask 1", "ready", "ask 2", "tell 1!busy"],
    ),
    "without a handler it is rejected": (
        RULES,
        HUMAN,
        [ASKED, TURN],
        ["ready", "ask 3", "tell 1!nobody is here 2!nobody is here"],
    ),
    "it may have a total": (
        BY_HUMANS,
        BOUNDED,
        [ASKED, TURN],
        ["ready", "ask 3", "ask 1", "tell 2!no more than 1 questions"],
    ),
    "it has places of its own in each workflow": (
        BY_HUMANS._replace(handlers=BY_HUMANS.handlers | {"workflow"}),
        HUMAN,
        NESTED,
        ["ask 1", "ask 1/1"],
    ),
    "it may share its places over the tree": (
        BY_HUMANS._replace(handlers=BY_HUMANS.handlers | {"workflow"}),
        HUMAN._replace(shared=True),
        [
            says(HumanInput("1", "a"), below(2)),
            Opened("2", "b", "2"),
            says(HumanInput("1", "b"), path="2"),
            answer(1),
        ],
        ["ask 1", "ask 2", "ready", "ask 2/1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "kind", "inputs", "expected"), GROWTH.values(), ids=GROWTH)
def test_a_new_kind_of_request_takes_one_row(
    rules: Rules, kind: Kind, inputs: Row, expected: list[str]
) -> None:
    kinds: Kinds = {**KINDS, HumanInput: kind}

    assert acts(inputs, rules, kinds) == expected
    for each in commands(inputs, rules, kinds):
        if isinstance(each, Ask) and isinstance(each.request, HumanInput):
            assert (each.kind, each.attempt, each.tries, each.problem) == (kind, 1, 1, None)


def test_a_kind_without_a_row_is_rejected_by_the_name_of_its_record() -> None:
    told = "1!this host does not know requests of type 'HumanInput'; use a newer one"
    assert acts([says(HumanInput("1", "a")), TURN]) == ["ready", f"tell {told}"]


def _operations(work: Callable[[], object]) -> int:
    """Calls, returns and resumptions of Python's and of C's functions in `work`."""
    count = 0

    def tell(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tell)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _answered(number: int) -> list[Input]:
    tells = [each for _ in range(-(-number // 250)) for each in (TURN, QUIET)]
    return [agents(number), *map(answer, range(1, number + 1)), *tells]


def _slept(number: int) -> list[Input]:
    return [says(*map(sleep, range(number))), *(Due(str(each)) for each in range(number))]


NO_LIMIT = Rules(max_total_agents=10**6)
MANY: dict[str, tuple[Rules, Callable[[int], list[Input]]]] = {
    "each is answered": (NO_LIMIT, _answered),
    "all at once at work": (NO_LIMIT._replace(max_agents=10**6), _answered),
    "all are refused": (Rules(max_total_agents=1), lambda number: [agents(number)]),
    "what waits is refused when the budget is spent": (
        NO_LIMIT._replace(budget_tokens=1),
        lambda number: [agents(number), answer(1, tokens=1)],
    ),
    "all wait at the end": (NO_LIMIT, lambda number: [agents(number), Ended("")]),
    "no handler": (Rules(handlers=frozenset()), lambda number: [agents(number)]),
    "sleeps": (RULES, _slept),
}


@pytest.mark.parametrize(("rules", "inputs"), MANY.values(), ids=MANY)
def test_the_work_grows_with_the_number_of_requests_and_no_faster(
    rules: Rules, inputs: Callable[[int], list[Input]]
) -> None:
    few, many = inputs(150), inputs(1500)
    ratio = _operations(lambda: play(many, rules)) / _operations(lambda: play(few, rules))

    assert ratio < 10.5


def test_20000_requests_at_once_are_each_asked_and_told_once() -> None:
    rules = Rules(max_total_agents=20_000, watched=False)
    found = commands(_answered(20_000), rules)

    everyone = [str(number) for number in range(1, 20_001)]
    assert [each.id for each in found if isinstance(each, Ask)] == everyone
    assert [one.id for each in found if isinstance(each, Tell) for one in each.resolves] == everyone


def test_a_core_is_told_the_time_and_asks_for_none() -> None:
    core = Core(RULES)
    core.step(5.0, Opened("", "main.js"))
    wakes: list[Any] = core.step(5.0, says(sleep(1, 1000)))

    assert [line(each) for each in wakes if not isinstance(each, Emit)] == ["wake 1 at 6"]
