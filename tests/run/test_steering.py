"""When answers of another run are told: not before something that run was told earlier may still come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowcage.host.run.core.inputs import Answered, Ended, Opened, Reused, Said, Turn
from flowcage.host.run.guide.steering import Steering
from flowcage.protocol.messages import MISSING, Json

from .core_inputs import agent, below, play, says


class OneGroup:
    """A guide that has one answer to give, of turn 5, for agent 2."""

    def __init__(self, first_turn_below: float) -> None:
        self._first = first_turn_below
        self.left = [Reused("2", "old", "before", "2")]
        self.was_idle = False

    def look(self, _said: Said, _phases: Any) -> Mapping[str, str]:
        return {"2": "2"}

    def start(self, _request: str, _source: str, _args: Json, _modules: Mapping[str, str]) -> Any:
        return MISSING

    @property
    def turn(self) -> float:
        return 5.0

    @property
    def is_empty(self) -> bool:
        return not self.left

    def next_group(self) -> Sequence[Reused]:
        group, self.left = self.left, []
        return group

    def first_turn_below(self, _request: str) -> float:
        return self._first

    def idle(self) -> None:
        self.was_idle = True


def steered(guide: OneGroup) -> tuple[Any, Steering]:
    """A run that has asked for a child workflow and for an agent."""
    core, _ = play([])
    steering = Steering(guide, core)
    core.step(1.0, steering.look(says(below(1), agent(2)), {}))
    return core, steering


def test_what_came_later_waits_for_the_handler_of_a_child_workflow_and_for_the_child() -> None:
    guide = OneGroup(first_turn_below=3.0)
    core, steering = steered(guide)

    assert steering.following() == ()  # the handler may start a child
    core.step(2.0, Opened("1", "kid.js", "1"))
    assert steering.following() == ()  # the child works
    core.step(3.0, says(agent(1), path="1"))
    assert [each.id for each in steering.following()] == ["2"]  # whoever is asked there is not waited for


def test_what_came_earlier_waits_for_no_handler() -> None:
    _, steering = steered(OneGroup(first_turn_below=7.0))

    assert [each.id for each in steering.following()] == ["2"]


def test_it_is_idle_once_all_is_told_and_somebody_has_to_be_asked() -> None:
    guide = OneGroup(first_turn_below=7.0)
    core, steering = steered(guide)
    (reused,) = steering.following()
    assert steering.following() == ()
    assert not guide.was_idle  # the handler is at work
    for given in (reused, Opened("1", "kid.js", "1"), says(agent(1), path="1"), Turn(""), says()):
        core.step(9.0, given)
    assert steering.following() == ()
    assert guide.was_idle


def test_an_answer_for_a_workflow_that_is_gone_is_not_told() -> None:
    core, steering = steered(OneGroup(first_turn_below=7.0))
    core.step(2.0, Answered("1", "done"))
    core.step(3.0, Ended(""))

    assert steering.following() == ()
