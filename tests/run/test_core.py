"""What a run commands, input by input: order, groups, caps."""

from __future__ import annotations

import pytest

from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Due, Ended, Input, Opened, State, Turn
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import UnknownRequest

from .core_inputs import (
    HANDLERS,
    MORE,
    QUIET,
    RULES,
    At,
    Row,
    acts,
    agent,
    agents,
    answer,
    below,
    program,
    refuse,
    says,
    sleep,
)

TURN = Turn("")
PART = State.PARTIAL
BELOW = (says(below(1)), Opened("1", "below.js", "1"))
BOTH = (says(below(1), below(2)), Opened("1", "b.js", "1"), Opened("2", "b.js", "2"))
ONE = Rules(max_agents=1, max_children=1, handlers=HANDLERS)
TWO = Rules(max_agents=2, max_children=2, handlers=HANDLERS)

ROWS: dict[str, tuple[Rules, Row, list[str]]] = {
    "requests are asked in their order": (RULES, [agents(3)], ["ask 1", "ask 2", "ask 3"]),
    "no more agents are at work than their cap": (TWO, [agents(4)], ["ask 1", "ask 2"]),
    "a place that is free goes to the first who waits": (
        TWO,
        [agents(4), answer(2), refuse(1)],
        ["ask 1", "ask 2", "ready", "ask 3", "ask 4"],
    ),
    "who asks later waits behind those who wait": (
        TWO,
        [agents(3), answer(1), TURN, says(agent(9)), answer(2), answer(3)],
        ["ask 1", "ask 2", "ready", "ask 3", "tell 1=yes", "ready", "ask 9"],
    ),
    "parts of one drain are asked as they come": (
        TWO,
        [says(agent(1), state=PART), says(agent(2), state=PART), agents(4, 3), answer(1)],
        ["ask 1", "ask 2", "ready", "ask 3"],
    ),
    "agents of the whole tree share their places": (
        TWO,
        [says(agent(1), below(2)), Opened("2", "b", "2"), says(agent(1), agent(2), path="2"), answer(1)],
        ["ask 1", "ask 2", "ask 2/1", "ready", "ask 2/2"],
    ),
    "programs and child workflows have places of their own": (
        ONE,
        [says(program(1), program(2), below(3), below(4), agent(5)), answer(3)],
        ["ask 5", "ask 1", "ask 3", "ready", "ask 4"],
    ),
    "each workflow has places of its own for what is below it": (
        ONE,
        [says(below(1), below(2)), Opened("1", "b", "1"), says(below(1), below(2), path="1"), answer("1/1")],
        ["ask 1", "ask 1/1", "1: ready", "ask 1/2"],
    ),
    "each workflow has places of its own for programs": (
        ONE,
        [says(below(1), program(2)), Opened("1", "b", "1"), says(program(1), program(2), path="1")],
        ["ask 1", "ask 2", "ask 1/1"],
    ),
    "the end of a child workflow gives its places back": (
        ONE._replace(max_children=2),
        [*BOTH, says(agent(1), path="1"), says(agent(1), path="2"), Ended("1")],
        ["ask 1", "ask 2", "ask 1/1", "ask 2/1"],
    ),
    "who waits for a place when its workflow ends is skipped": (
        ONE._replace(max_children=2),
        [*BOTH, says(agent(1), path="1"), says(agent(1), path="2"), Ended("2"), answer("1/1")],
        ["ask 1", "ask 2", "ask 1/1", "1: ready"],
    ),
    "a sleep takes no place": (
        ONE,
        [says(sleep(1), sleep(2), agent(3))],
        ["wake 1 at 1.5", "wake 2 at 1.5", "ask 3"],
    ),
    "a sleep ends as undefined": (
        RULES,
        [says(sleep(1)), Due("1"), TURN],
        ["wake 1 at 1.5", "ready", "tell 1=undefined"],
    ),
    "programs have an answer or an error": (
        RULES,
        [says(program(1), program(2)), answer(1), refuse(2), TURN],
        ["ask 1", "ask 2", "ready", "tell 1=yes 2!busy"],
    ),
    "nothing is told while the child works": (
        RULES,
        [agents(1), answer(1), TURN, TURN, agents(3, 2), answer(2), answer(3), TURN],
        ["ask 1", "ready", "tell 1=yes", "ask 2", "ask 3", "ready", "tell 2=yes 3=yes"],
    ),
    "what is answered while the child works is ready once it is quiet": (
        RULES,
        [agents(2), answer(1), TURN, answer(2), TURN, QUIET, TURN],
        ["ask 1", "ask 2", "ready", "tell 1=yes", "ready", "tell 2=yes"],
    ),
    "between parts of a drain the child still works": (
        RULES,
        [says(agent(1), state=PART), answer(1), TURN, QUIET, TURN],
        ["ask 1", "ready", "tell 1=yes"],
    ),
    "there is no turn without something to tell": (RULES, [agents(1), TURN], ["ask 1"]),
    "groups are made by turns": (
        RULES,
        [agents(3), answer(2), answer(1), TURN, QUIET, answer(3), TURN],
        ["ask 1", "ask 2", "ask 3", "ready", "tell 2=yes 1=yes", "ready", "tell 3=yes"],
    ),
    "a workflow that has failed is drained and not told": (
        RULES,
        [agents(2), answer(1), TURN, answer(2), MORE],
        ["ask 1", "ask 2", "ready", "tell 1=yes", "tell"],
    ),
    "of a workflow that has failed nothing is begun": (
        RULES,
        [says(agent(1), sleep(2), program(3), UnknownRequest("4", "new"), state=State.MORE)],
        ["tell"],
    ),
    "answers for nothing are nothing": (RULES, [agents(1), answer(7), refuse("7/1"), Due("")], ["ask 1"]),
    "the first answer counts": (
        RULES,
        [agents(1), answer(1, "a"), answer(1, "b"), refuse(1), TURN, QUIET, answer(1, "c"), TURN],
        ["ask 1", "ready", "tell 1=a"],
    ),
    "what waits for a place cannot be answered": (
        ONE,
        [agents(2), answer(2), refuse(2), Due("2")],
        ["ask 1"],
    ),
    "what is asked is not due, and what sleeps is not answered": (
        RULES,
        [says(agent(1), sleep(2)), Due("1"), answer(2), refuse(2)],
        ["wake 2 at 1.5", "ask 1"],
    ),
    "types that the host does not know are rejected": (
        RULES,
        [says(UnknownRequest("1", "human_input"), agent(2)), TURN],
        ["ready", "ask 2", "tell 1!this host does not know requests of type 'human_input'; use a newer one"],
    ),
    "kinds without a handler are rejected": (
        Rules(handlers=frozenset()),
        [says(agent(1), below(2), program(3)), TURN],
        [
            "ready",
            "tell 1!this host has no agents 2!this host runs no child workflows "
            "3!SW.sandbox.exec() is refused",
        ],
    ),
    "child workflows are counted over the whole tree": (
        Rules(max_total_children=2, handlers=HANDLERS),
        [*BELOW, says(below(1), below(2), path="1"), Turn("1")],
        ["ask 1", "1: ready", "ask 1/1", "1: tell 2!workflow() is refused"],
    ),
    "programs have no total": (
        Rules(max_total_children=1, handlers=HANDLERS),
        [says(program(1), below(2), program(3))],
        ["ask 1", "ask 3", "ask 2"],
    ),
}


@pytest.mark.parametrize(("rules", "inputs", "expected"), ROWS.values(), ids=ROWS)
def test_what_is_commanded(rules: Rules, inputs: Row, expected: list[str]) -> None:
    assert acts(inputs, rules) == expected


def test_at_most_250_resolutions_are_told_at_once_and_the_others_next() -> None:
    inputs: list[Input] = [agents(600), *map(answer, range(1, 601))]
    inputs += [TURN, QUIET, TURN, QUIET, TURN, QUIET, TURN]
    told = [line for line in acts(inputs, Rules(max_agents=600)) if not line.startswith("ask")]

    ids = [[int(each.partition("=")[0]) for each in line.split()[1:]] for line in told[1::2]]
    assert ids == [[*range(1, 251)], [*range(251, 501)], [*range(501, 601)]]
    assert told[::2] == ["ready"] * 3


@pytest.mark.parametrize("first", range(1, 6))
def test_the_parts_of_a_drain_ask_as_the_whole_does(first: int) -> None:
    requests = [agent(1), program(2), UnknownRequest("3", "new"), sleep(4), agent(5), agent(6)]
    parts = [says(*requests[:first], state=PART), says(*requests[first:])]

    whole = acts([says(*requests), answer(1), TURN], TWO)
    assert sorted(acts([*parts, answer(1), TURN], TWO)) == sorted(
        line.replace("at 1.5", "at 2.5" if first < 4 else "at 1.5") for line in whole
    )


def test_a_clock_that_goes_back_stands_still() -> None:
    rows = [At(10, says(sleep(1), agent(2))), At(3, answer(2)), At(4, TURN), At(-1, says(sleep(3)))]

    assert [line for line in acts(rows) if line.startswith("wake")] == ["wake 1 at 10.5", "wake 3 at 10.5"]


def test_a_depth_is_that_of_the_path() -> None:
    core = Core(RULES)
    inputs: list[Input] = [Opened("", "a"), says(below(1)), Opened("1", "b", "1"), says(below(7), path="1")]
    inputs.append(Opened("1/7", "c", "1/7"))
    for given in inputs:
        core.step(0, given)

    assert [each.depth for each in core.tree.workflows.values()] == [0, 1, 2]
