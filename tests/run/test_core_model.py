"""Random histories: the core agrees with the reference, input by input, and raises only what it documents."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import asdict
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowcage.host.run.core import fold
from flowcage.host.run.core.agents import calls
from flowcage.host.run.core.books import Totals
from flowcage.host.run.core.commands import Ask, Command, Emit, Finish, Ready, Tell, Wake
from flowcage.host.run.core.fold import Core, OutOfOrder
from flowcage.host.run.core.inputs import Answered, Due, Ended, Input, Opened, Said, Spent, Turn
from flowcage.host.run.core.tree import Tree
from flowcage.protocol.messages import Ok, OkUndefined, Resolve

from .core_histories import History, Tape, rules_from
from .core_reference import Reference
from .core_reference_books import Out, Wrong

# Bounds that random histories reach; the reference is told the same.
MIN_REFUSALS, MOST_TOLD = 4, 3
AFTER_THE_END = 12  # inputs
COSTS = {"cost_usd", "unpriced", "input", "output", "cache_read", "cache_write"}
ENDS = {"agent_completed", "agent_failed", "agent_cancelled"}


class Both:
    """The core and the reference, given the same inputs."""

    def __init__(self, tape: Tape) -> None:
        rules = rules_from(tape)
        self.core = Core(rules)
        self.reference = Reference(rules, MIN_REFUSALS, MOST_TOLD)
        self.history = History(tape, self.reference)
        self.stirred: set[str] = set()  # workflows that a turn was asked for
        self.events: list[tuple[Any, ...]] = []

    def give(self, now: float, given: Input) -> None:
        try:
            expected = self.reference.step(now, given)
        except Wrong:
            self.refuse(now, given)
            return
        commands = self.core.step(now, given)
        found = _out(commands)
        assert found == _by_kind(expected), given
        self.events += found.events
        self.stirred.discard(given.path if isinstance(given, Turn) else "no turn")
        self.stirred |= {each.path for each in commands if isinstance(each, Ready)}
        assert self.must_stir() <= self.stirred, "what is answered waits for a turn that nobody asks for"

    def refuse(self, now: float, given: Input) -> None:
        state = deepcopy(_state(self.core))
        with pytest.raises(OutOfOrder):
            self.core.step(now, given)
        assert _state(self.core) == state

    def must_stir(self) -> set[str]:
        flows = self.reference.flows
        return {flow.path for flow in flows if flow.ready and not flow.listens and not flow.over}

    def compare_books(self) -> None:
        tree, reference = self.core.tree, self.reference
        assert _counts(tree.totals) == reference.totals()
        assert tree.totals.cost_usd == reference.dollars  # quarters, so the sums are exact
        phases = {key: _counts(totals) for key, totals in tree.phases.items()}
        assert _counted(phases) == _counted(reference.phases())
        at_work = [each for each in reference.requests if each.where == "work" and not each.flow.gone]
        assert _heard(tree) == {each.id for each in at_work if each.heard is not None}
        for flow in reference.flows:
            if not flow.gone:
                kept = tree.workflows[flow.path].kept
                assert [note["kind"] for note in kept.diagnostics.entries] == flow.notes
                assert list(kept.phases.items()) == list(flow.phases.items())


def _heard(tree: Tree) -> set[str]:
    calls = [call for flow in tree.workflows.values() for call in flow.calls.values()]
    return {call.id for call in calls if call.stage == "asked" and call.heard is not None}


def _counted(phases: dict[tuple[str, str], Counter[str]]) -> dict[tuple[str, str], Counter[str]]:
    return {key: counts for key, counts in phases.items() if counts.total()}


def _state(core: Core) -> dict[str, Any]:
    return {name: value for name, value in vars(core.tree).items() if name not in ("kinds", "commands")}


def _counts(totals: Totals) -> Counter[str]:
    names = {"swallowed": "swallowed_error", "unawaited": "unawaited_request"}
    counts = asdict(totals).items()
    return Counter({names.get(name, name): value for name, value in counts if name not in COSTS})


def _by_kind(out: Out) -> Out:
    """Calls of one kind begin in their order; what the order is between kinds, nobody promises."""
    out.asks.sort(key=lambda ask: (ask[0], "" if ask[0] == "agent" else ask[1]))
    return out


def _out(commands: list[Command]) -> Out:
    out = Out()
    for each in commands:
        match each:
            case Ask():
                out.asks.append((each.kind.name, each.path, each.id, each.attempt, each.tries, each.problem))
            case Tell(path, resolves):
                out.tells.append((path, [_resolution(resolve) for resolve in resolves]))
            case Wake(at, identifier):
                out.wakes.append((at, identifier))
            case Finish(path, verdict, result):
                out.finishes.append((path, verdict, result))
            case Emit(path, kind, members) if kind.startswith("agent_") or kind == "answer_refused":
                names = EVENT_MEMBERS[kind]
                out.events.append((kind, path, members["request_id"], *(members[name] for name in names)))
    return _by_kind(out)


EVENT_MEMBERS = {
    "agent_queued": ("phase",),
    "agent_completed": ("attempt", "tries", "value", "tokens"),
    "agent_failed": ("attempt", "tries", "will_retry", "refused_text"),
    "agent_cancelled": ("attempt", "tokens"),
    "answer_refused": ("attempt", "tries", "text", "tokens"),
}


def _resolution(resolve: Resolve) -> tuple[Any, ...]:
    match resolve.resolution:
        case Ok(value, budget):
            assert budget is not None
            return (resolve.id, "ok", value, *budget)
        case OkUndefined():
            return (resolve.id, "undefined")
    return (resolve.id, "rejected")


def _play(data: bytes) -> None:
    tape = Tape(data)
    both = Both(tape)
    both.give(0.0, Opened("", "main.js"))
    after_the_end = 0
    while not tape.is_at_end and after_the_end < AFTER_THE_END:
        after_the_end += both.reference.flows[0].over
        both.give(*both.history.next())
    both.compare_books()
    _answer_all(both)
    both.compare_books()
    for flow in reversed(both.reference.flows):
        if not flow.gone:
            both.give(1e6, Ended(flow.path))
    both.compare_books()
    _require_ends(both)


def _answer_all(both: Both) -> None:
    """Go on until nothing waits any more in workflows that are not over: none of their calls is lost."""
    while moves := _moves(both.reference):
        for move in moves:
            both.give(1e6, move)


def _moves(reference: Reference) -> list[Input]:
    flows = [flow for flow in reference.flows if not flow.over and not flow.gone]
    moves: list[Input] = [Said(flow.path) for flow in flows if flow.listens]
    moves += [Turn(flow.path) for flow in flows if flow.ready]
    for each in reference.requests:
        if each.flow in flows and each.where in ("work", "wait"):
            moves.append(Due(each.id) if each.where == "wait" else Answered(each.id, 1, Spent(1)))
    return moves


def _require_ends(both: Both) -> None:
    """Each call that was queued ends once, and the census adds up."""
    queued = Counter(event[1:3] for event in both.events if event[0] == "agent_queued")
    ends = Counter(
        event[1:3]
        for event in both.events
        if event[0] in ENDS and not (event[0] == "agent_failed" and event[5])
    )
    assert ends == queued
    totals = both.core.tree.totals
    assert totals.completed + totals.failed + totals.refused + totals.cancelled == queued.total()
    assert not both.core.tree.workflows
    assert all(queue.busy == 0 for queue in both.core.tree.queues.values())


TAPES = st.binary(min_size=60, max_size=1200)


def _agrees(data: bytes) -> None:
    with (
        mock.patch.object(calls, "MIN_REFUSALS", MIN_REFUSALS),
        mock.patch.object(fold, "MAX_TOLD_AT_ONCE", MOST_TOLD),
    ):
        _play(data)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(TAPES)
def test_the_core_agrees_with_the_reference(data: bytes) -> None:
    _agrees(data)


@pytest.mark.thorough
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(TAPES)
def test_the_core_agrees_with_the_reference_in_10000_histories(data: bytes) -> None:
    _agrees(data)
