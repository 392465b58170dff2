"""How a run and its child workflows end, and what cannot happen."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from flowcage.host.run.core.commands import Finish, Verdict
from flowcage.host.run.core.fold import Core, OutOfOrder
from flowcage.host.run.core.inputs import (
    Answered,
    Compiled,
    Due,
    Ended,
    Failed,
    Input,
    Noted,
    Opened,
    Refused,
    State,
    Turn,
)
from flowcage.host.run.core.rules import Rules
from flowcage.protocol.messages import WorkflowRequest

from .core_inputs import (
    COMPLETE,
    HANDLERS,
    MORE,
    QUIET,
    ROOT,
    RULES,
    STALLED,
    Row,
    acts,
    agent,
    agents,
    answer,
    below,
    commands,
    play,
    refuse,
    retry,
    says,
    sleep,
    wrong,
)

TURN = Turn("")
BELOW = (says(below(1)), Opened("1", "below.js", "1"))
THREE = says(agent(1), agent(2), agent(3), path="1")
TWO = Rules(max_agents=2, max_children=2, handlers=HANDLERS)
FAILED = Failed("", "the listener failed")

ROWS: dict[str, tuple[Rules, Row, list[str]]] = {
    "a workflow is complete with what it never awaited": (
        RULES,
        [agents(1), answer(1), TURN, says(agent(2), sleep(3), state=State.COMPLETE), answer(2), Due("3")],
        ["ask 1", "ready", "tell 1=yes", "finish completed"],
    ),
    "complete twice is complete once": (RULES, [COMPLETE, COMPLETE], ["finish completed"]),
    "complete and then something else is complete": (
        RULES,
        [COMPLETE, STALLED, agents(1), FAILED, says(state=State.MORE)],
        ["finish completed"],
    ),
    "a stalled workflow is over": (RULES, [STALLED, agents(1)], ["finish stalled"]),
    "a host that failed ends the run": (
        TWO,
        [agents(3), FAILED, answer(1), refuse(2), TURN, FAILED],
        ["ask 1", "ask 2", "finish host_fault"],
    ),
    "an end without a finish ends what is asked, too": (
        TWO,
        [agents(3), Ended(""), answer(1), refuse(2), Due("3")],
        ["ask 1", "ask 2"],
    ),
    "no attempt follows in a run that is over": (
        RULES,
        [agents(1, retry={"maxAttempts": 3}), refuse(1), FAILED, Due("1")],
        ["ask 1", "wake 1 at 2", "finish host_fault"],
    ),
    "nothing below a finished workflow is asked": (
        TWO,
        [*BELOW, THREE, FAILED, answer("1/1"), says(path="1")],
        ["ask 1", "ask 1/1", "ask 1/2", "finish host_fault"],
    ),
    "nor is what opens there afterwards": (
        RULES,
        [says(below(1)), FAILED, Opened("1", "b", "1"), THREE],
        ["ask 1", "finish host_fault"],
    ),
    "nor what is below that": (
        RULES,
        [*BELOW, says(below(5), path="1"), FAILED, Opened("1/5", "c", "1/5"), says(agent(1), path="1/5")],
        ["ask 1", "ask 1/5", "finish host_fault"],
    ),
    "a child workflow that fails leaves its parent and its sisters": (
        RULES,
        [
            says(below(1), below(2)),
            Opened("1", "b", "1"),
            Opened("2", "b", "2"),
            Failed("1", "no"),
            says(agent(1), path="2"),
            refuse(1),
            TURN,
        ],
        ["ask 1", "ask 2", "1: finish host_fault", "ask 2/1", "ready", "tell 1!busy"],
    ),
    "names that begin alike are not below each other": (
        RULES,
        [
            says(below(1), below(11)),
            Opened("1", "b", "1"),
            Opened("11", "b", "11"),
            Failed("1", "no"),
            says(agent(1), path="11"),
        ],
        ["ask 1", "ask 11", "1: finish host_fault", "ask 11/1"],
    ),
    "the end of a workflow ends what is below it": (
        TWO,
        [*BELOW, THREE, Ended(""), answer("1/1"), Due("1/2"), Turn("1"), says(path="1"), Failed("1", "no")],
        ["ask 1", "ask 1/1", "ask 1/2"],
    ),
    "a workflow that has failed asks nothing that waited": (
        TWO,
        [agents(4), answer(1), TURN, MORE, answer(2), refuse(3), TURN],
        ["ask 1", "ask 2", "ready", "ask 3", "tell 1=yes", "tell"],
    ),
    "nor a second time, nor after a wait": (
        TWO,
        [
            says(agent(1, retry=retry(2)), agent(2, schema=True), sleep(3)),
            refuse(1),
            Due("3"),
            TURN,
            MORE,
            wrong(2),
            Due("1"),
        ],
        ["wake 3 at 1.5", "ask 1", "ask 2", "wake 1 at 2", "ready", "tell 3=undefined", "tell"],
    ),
    "nor does what is below it": (
        TWO,
        [says(below(1), sleep(2)), Opened("1", "b", "1"), THREE, Due("2"), TURN, MORE, answer("1/1")],
        ["wake 2 at 1.5", "ask 1", "ask 1/1", "ask 1/2", "ready", "tell 2=undefined", "tell"],
    ),
    "a child workflow's result is what its request is answered with": (
        RULES,
        [*BELOW, says(path="1", state=State.COMPLETE, result=5), Ended("1"), answer(1, 5), TURN],
        ["ask 1", "1: finish completed", "ready", "tell 1=5"],
    ),
    "what was ready when a workflow finished is not told": (
        RULES,
        [agents(2), answer(1), FAILED, TURN, answer(2), TURN],
        ["ask 1", "ask 2", "ready", "finish host_fault"],
    ),
    "a handler may run several workflows, one after another": (
        RULES,
        [
            *BELOW,
            says(sleep(1), path="1"),
            Ended("1"),
            Opened("1.2", "b", "1"),
            says(sleep(1), path="1.2"),
            Due("1/1"),
            Due("1.2/1"),
        ],
        ["ask 1", "wake 1/1 at 3.5", "wake 1.2/1 at 6.5", "1.2: ready"],
    ),
}


@pytest.mark.parametrize(("rules", "inputs", "expected"), ROWS.values(), ids=ROWS)
def test_how_it_ends(rules: Rules, inputs: Row, expected: list[str]) -> None:
    assert acts(inputs, rules) == expected


FINISHES = {
    "a result": (COMPLETE, Finish("", Verdict.COMPLETED, "done")),
    "a result that is null": (COMPLETE._replace(result=None), Finish("", Verdict.COMPLETED, None)),
    "nothing to wait for": (
        STALLED,
        Finish(
            "",
            Verdict.STALLED,
            message="the workflow can never finish: it waits for a promise that nothing will settle",
        ),
    ),
    "a host that failed": (FAILED, Finish("", Verdict.HOST_FAULT, message="the listener failed")),
}


@pytest.mark.parametrize(("given", "expected"), FINISHES.values(), ids=FINISHES)
def test_a_finish_has_the_result_or_says_why_there_is_none(given: Input, expected: Finish) -> None:
    assert commands([given]) == [expected]


OUT_OF_ORDER: dict[str, tuple[Row, Input]] = {
    "a second reply to one drain": ([QUIET], QUIET),
    "a second reply with requests": ([agents(1)], agents(2, 2)),
    "two requests with one id": ([], says(agent(1), agent(1))),
    "a request with the id of one that waits": ([agents(2), answer(1), TURN], agents(2, 2)),
    "an id of an earlier part": ([says(agent(1), state=State.PARTIAL)], agents(1)),
    "an id that looks like a path": ([], says(WorkflowRequest("1/1", "below"))),
    "a reply of a workflow that was not opened": ([], says(path="1")),
    "a reply of a workflow that has ended": ([*BELOW, Ended("1")], says(path="1")),
    "an end of a workflow that has ended": ([*BELOW, Ended("1")], Ended("1")),
    "a dialect of nobody": ([], Compiled("5", "script")),
    "a turn of nobody": ([], Turn("5")),
    "a diagnostic of nobody": ([], Noted("5", {"kind": "k", "message": "m"})),
    "a failure of nobody": ([], Failed("5", "no")),
    "a second root": ([], ROOT),
    "a root after the end": ([Ended("")], ROOT),
    "a child workflow after the end of its root": ([says(below(1)), Ended("")], Opened("1", "b", "1")),
    "a child workflow that nobody asked for": ([agents(1)], Opened("2", "b", "2")),
    "a child workflow of a request that is settled": ([says(below(1)), answer(1)], Opened("1", "b", "1")),
    "a path that is in use": ([*BELOW], Opened("1", "b", "1")),
    "a path that was in use": ([*BELOW, Ended("1")], Opened("1", "b", "1")),
}


def _state(core: Core) -> dict[str, Any]:
    """All but the table of kinds, which cannot be copied, and the commands, which are of one step only."""
    return {name: value for name, value in vars(core.tree).items() if name not in ("kinds", "commands")}


@pytest.mark.parametrize(("before", "given"), OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_what_the_driver_cannot_have_had_changes_nothing(before: Row, given: Input) -> None:
    core, _ = play(before)
    state = deepcopy(_state(core))
    with pytest.raises(OutOfOrder):
        core.step(1e6, given)

    assert _state(core) == state


def test_before_its_root_a_run_takes_answers_only_and_does_nothing_about_them() -> None:
    core = Core(RULES)
    for given in (QUIET, TURN, Ended(""), Opened("1", "b", "1")):
        with pytest.raises(OutOfOrder):
            core.step(0, given)
    for late in (Answered("1", 1), Refused("1", "no"), Due("1")):
        assert core.step(0, late) == []
    assert core.step(0, ROOT) == []
