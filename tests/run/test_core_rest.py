"""When a run could as well have no process: nothing is left to it but to wait."""

from __future__ import annotations

import pytest

from flowcage.host.run.core.inputs import Compiled, Due, Ended, Opened, State, Turn
from flowcage.host.run.core.rest import rests_until

from .core_inputs import (
    COMPLETE,
    MORE,
    QUIET,
    RULES,
    At,
    Row,
    agent,
    answer,
    below,
    play,
    program,
    refuse,
    retry,
    says,
    sleep,
)

TURN = Turn("")
BELOW = (Compiled("", "script"), says(below(1)), Opened("1", "below.js", "1"))

TABLE: list[tuple[str, Row, float | None]] = [
    ("the child has not said anything", [], None),
    ("one sleep", [At(10, says(sleep(1, 500)))], 10.5),
    ("the first of two sleeps counts", [At(10, says(sleep(1, 9000), sleep(2, 500)))], 10.5),
    ("its time has come", [At(10, says(sleep(1, 500), sleep(2, 9000))), Due("1")], None),
    ("it was told that, and has said nothing yet", [says(sleep(1), sleep(2)), Due("1"), TURN], None),
    ("it waits on for the other", [At(9, says(sleep(1, 1), sleep(2, 5000))), Due("1"), TURN, QUIET], 14.0),
    ("an agent is at work", [says(sleep(1), agent(2))], None),
    ("it has answered", [At(9, says(sleep(1), agent(2))), answer(2), TURN, QUIET], 9.5),
    ("a program is at work", [says(sleep(1), program(2))], None),
    ("a wait before another try", [At(9, says(agent(1, retry=retry(2, 5000)))), At(10, refuse(1))], 15.0),
    ("a child workflow begins", [says(below(1), sleep(2))], None),
    ("it works", [*BELOW], None),
    ("it sleeps", [*BELOW, At(9, says(sleep(1), path="1"))], 9.5),
    ("it sleeps, and its child's handler began another", [
        *BELOW, At(9, says(sleep(1), path="1")), Ended("1"), Opened("1.2", "b.js", "1"),
        says(sleep(1, 2000), path="1.2"),
    ], 14.0),
    ("it has ended, and its handler has not answered", [
        *BELOW, says(path="1", state=State.COMPLETE), Ended("1")
    ], None),
    ("its own agent is at work", [*BELOW, says(sleep(1), agent(2), path="1")], None),
    ("one more waits for a place that a sleeper holds", [
        says(below(1), below(2)), Opened("1", "b.js", "1"), At(9, says(sleep(1), path="1"))
    ], 9.5),
    ("a part of a reply", [says(sleep(1), state=State.PARTIAL)], None),
    ("it has failed", [says(sleep(1)), Due("1"), TURN, MORE], None),
    ("it is complete", [says(sleep(1)), Due("1"), TURN, COMPLETE], None),
    ("it has ended", [says(sleep(1)), Ended("")], None),
    ("nothing was asked: it is stalled soon", [QUIET], None),
]  # fmt: skip


@pytest.mark.parametrize(("inputs", "until"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_run_rests_where_nothing_but_times_is_outstanding(inputs: Row, until: float | None) -> None:
    core, _ = play(inputs, RULES._replace(max_children=1))
    assert rests_until(core.tree) == until
