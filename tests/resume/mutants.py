"""What the kills are to find: ways in which a run that is gone on with could be wrong.

    python -m tests.resume.mutants FOLDER NAME KILLS

Breaks the code of each life in one way, and kills until something does not hold. Prints the fault.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowcage.host.durable.sql import life, writes
from flowcage.host.resume import fold, kept
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.asking.answering import Answering
from flowcage.host.run.core.commands import Tell
from flowcage.host.run.past.past import Past
from flowcage.protocol.messages import Budget, Ok

from . import kills

_SEED = 3


def begin_before_commit() -> None:
    """An agent is asked before what led to it is kept."""

    async def kept_at_once(_keeper: Keeper) -> None:
        pass

    Keeper.kept = kept_at_once  # type: ignore[assignment, method-assign]


def forget_grouping() -> None:
    """What was told together is told one by one."""

    def one_by_one(folding: Any, command: Any) -> None:
        for each in command.resolves or [None]:
            take(folding, command._replace(resolves=() if each is None else (each,)))

    take = _of_tells(one_by_one)


def forget_order() -> None:
    """What was told together is told in another order."""

    def reversed_(folding: Any, command: Any) -> None:
        take(folding, command._replace(resolves=command.resolves[::-1]))

    take = _of_tells(reversed_)


def forget_budget() -> None:
    """Answers are told without what is spent."""

    def without(folding: Any, command: Any) -> None:
        told = [
            each._replace(resolution=each.resolution._replace(budget=Budget()))
            if isinstance(each.resolution, Ok)
            else each
            for each in command.resolves
        ]
        take(folding, command._replace(resolves=tuple(told)))

    take = _of_tells(without)


def forget_budget_at_the_start() -> None:
    """A child workflow begins with another budget than it had."""
    begun_of = fold.begun_of
    kept.begun_of = fold.begun_of = lambda workflow: begun_of(workflow)._replace(budget=Budget())  # type: ignore[attr-defined]


def _of_tells(change: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Have the fold of a log take turns in another way. How it took them."""
    take = fold._Folding._take_command

    def taken(folding: Any, command: Any) -> None:
        (change if isinstance(command, Tell) else take)(folding, command)

    fold._Folding._take_command = taken  # type: ignore[assignment, method-assign]
    return take


def forget_what_is_heard() -> None:
    """An agent whose answer is to be checked once more is asked once more."""
    agent_of = Answering._agent

    def again(answering: Answering, node: Any, asked: Any) -> Any:
        return agent_of(answering, node, asked._replace(heard=None))

    Answering._agent = again  # type: ignore[assignment, method-assign]


def hold_nothing() -> None:
    """Commands for a workflow that is behind are carried out at once."""
    Past.hold = lambda _past, _command: False  # type: ignore[assignment, method-assign]


def drop_the_epoch() -> None:
    """What a host writes for a run that it has lost counts, where its numbers fit."""
    assert "epoch = ?" in writes._GUARD
    writes._GUARD = writes._GUARD.replace("epoch = ?", "? IS NOT NULL")


def drop_the_owner() -> None:
    """A host that has lost its run may still end it, and keep child workflows of it."""
    life.require_owner = writes.require_owner = lambda *_given: None  # type: ignore[attr-defined]


MUTANTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        *(begin_before_commit, forget_grouping, forget_order, forget_budget, forget_budget_at_the_start),
        *(forget_what_is_heard, hold_nothing, drop_the_epoch, drop_the_owner),
    )
}


if __name__ == "__main__":
    found = kills.main(Path(sys.argv[1]), int(sys.argv[3]), _SEED, mutate=MUTANTS[sys.argv[2]])
    print(json.dumps({"kills": found.kills.total(), "faults": found.faults}))
