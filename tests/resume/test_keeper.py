"""Which ends of child workflows are written, as a table of what follows them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flowcage.host.durable.records import NewWorkflow
from flowcage.host.durable.store import Store
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.inputs import Answered, Ended, Failed, Input, Lived, Opened, Refused, Turn
from flowcage.host.run.past.journal import Begun
from flowcage.protocol.messages import Budget


class Written:
    """Takes what a keeper hands on."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []

    def record(self, _now: float, given: Input) -> None:
        self.inputs.append(given)


X, Y, BELOW = Ended("5"), Ended("6"), Ended("5/1")


@pytest.mark.parametrize(
    ("is_being_ended", "given", "written"),
    [
        (False, [X, Turn("6")], [X, Turn("6")]),
        (False, [X, Lived(1.0)], [Lived(1.0)]),
        (False, [X, Ended("")], []),
        (True, [X, Turn("6")], [Turn("6")]),
        (True, [X, Answered("6/1", 1)], [Answered("6/1", 1)]),
        (True, [X, Y, Answered("6", 1), Turn("")], [Y, Answered("6", 1), Turn("")]),
        (True, [BELOW, X, Y, Refused("5", "no")], [BELOW, X, Refused("5", "no")]),
        (True, [Ended("5.2"), Ended("55"), Answered("5", 1)], [Ended("5.2"), Answered("5", 1)]),
        (True, [X, Failed("", "no"), Ended("")], []),
        (True, [Failed("5", "no"), X, Turn("6")], [Turn("6")]),
        (True, [Failed("5", "no"), X, Refused("5", "no")], [Failed("5", "no"), X, Refused("5", "no")]),
        (False, [Failed("5", "no"), Turn("6"), X], [Failed("5", "no"), Turn("6")]),
        (False, [Failed("5", "no"), X, Failed("", "no"), Ended("")], []),
    ],
)
def test_what_is_written(is_being_ended: bool, given: list[Input], written: list[Input]) -> None:
    keeper, journal = Keeper(cast(Store, None), "r", 1), Written()
    cast(Any, keeper)._journal = journal
    keeper.is_being_ended = lambda: is_being_ended
    for each in given:
        keeper.record(0.0, each)
    assert journal.inputs == written


class Puts:
    """A store that has the order in which it was given things."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def encode(self, given: Input) -> bytes:
        return type(given).__name__.encode()

    def append(self, _run_id: str, _epoch: int, _seq: int, entries: list[Any], _took: object) -> None:
        self.given += [entry.data for entry in entries]

    def add_workflow(self, _run_id: str, _epoch: int, workflow: NewWorkflow) -> None:
        self.given.append(workflow.path)


def test_a_child_workflow_is_written_when_it_was_opened() -> None:
    store = Puts()
    keeper = Keeper(cast(Store, store), "r", 1)
    keeper.record(0.0, Opened("1", "w.js", "1"))
    keeper.begin(Begun("1", "", "w.js", {}, "js", Budget(None, 0), {}))
    assert store.given == [b"Opened", "1"]
