"""What a run keeps for its report: phases, logs, diagnostics, the census and what each phase cost."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.run.core import kept as rooms
from flowcage.host.run.core.books import MAX_PHASE_NAME, MAX_PHASES, OTHER_PHASES, Totals
from flowcage.host.run.core.commands import Emit
from flowcage.host.run.core.inputs import (
    Answered,
    Compiled,
    Due,
    Ended,
    Noted,
    Opened,
    Refused,
    Spent,
    State,
    Turn,
)
from flowcage.host.run.core.kept import Kept
from flowcage.host.run.core.rules import Rules
from flowcage.host.run.core.tree import Tree
from flowcage.protocol.messages import MISSING, Log, Phase, UnknownRequest

from .core_inputs import (
    COMPLETE,
    HANDLERS,
    RULES,
    Row,
    agent,
    agents,
    answer,
    below,
    events,
    play,
    refuse,
    retry,
    says,
    wrong,
)

TURN = Turn("")


def _kept(*inputs: Any) -> Kept:
    return play(inputs)[0].tree.workflows[""].kept


PHASES: dict[str, tuple[Row, dict[str, Any]]] = {
    "titles are in the order in which they are first named": (
        [says(Phase("b"), Phase("a"), Phase("b"))],
        {"b": None, "a": None},
    ),
    "a phase has its options": ([says(Phase("a", {"n": 1}), Phase("b", 5))], {"a": {"n": 1}, "b": 5}),
    "the last options count": ([says(Phase("a", {"n": 1}), Phase("a", {"n": 2}))], {"a": {"n": 2}}),
    "no options are no change": ([says(Phase("a", {"n": 1}), Phase("a"), Phase("a", None))], {"a": {"n": 1}}),
    "what only agents name is listed": (
        [says(Phase("a"), agent(1, phase="b"), agent(2, phase="a"))],
        {"a": None, "b": None},
    ),
    "a phase without a name that only agents name is none": (
        [says(agent(1, phase=""), agent(2, phase=5))],
        {},
    ),
    "what is not begun names no phase": ([says(agent(1, phase="b"), state=State.COMPLETE)], {}),
    "what is said last counts": ([says(Phase("a"), state=State.COMPLETE)], {"a": None}),
}


@pytest.mark.parametrize(("inputs", "expected"), PHASES.values(), ids=PHASES)
def test_phases_are_listed_once_with_their_options(inputs: Row, expected: dict[str, Any]) -> None:
    assert list(_kept(*inputs).phases.items()) == list(expected.items())


def test_logs_and_phases_are_told_as_they_are_said() -> None:
    said = says(Log(["a", 1]), Phase("p", {"n": 1}), Log([]), Phase("q"))

    assert events([said]) == [
        ("log", {"values": ("a", 1)}),
        ("phase", {"name": "p", "options": {"n": 1}}),
        ("log", {"values": ()}),
        ("phase", {"name": "q", "options": MISSING}),
    ]
    assert _kept(said).logs.entries == [("a", 1), ()]


ROOMS = {
    "logs": (Log(["x" * 50]), "logs"),
    "diagnostics": ({"kind": "swallowed_error", "message": "x" * 20}, "diagnostics"),
    "phases": (None, "titles"),
}


@pytest.mark.parametrize(("said", "room"), ROOMS.values(), ids=ROOMS)
@pytest.mark.parametrize("bound", ["MAX_KEPT_BYTES", "MAX_KEPT_ENTRIES"])
def test_each_room_has_a_bound_of_its_own_and_counts_what_it_drops(
    monkeypatch: pytest.MonkeyPatch, bound: str, said: Any, room: str
) -> None:
    monkeypatch.setattr(rooms, bound, {"MAX_KEPT_BYTES": 1000, "MAX_KEPT_ENTRIES": 10}[bound])
    many = [said] * 100 if said is not None else [Phase(f"{n:50}") for n in range(100)]
    kept = _kept(says(*many), TURN)

    found = {name: getattr(kept, name) for name in ("logs", "diagnostics", "titles")}
    full = found.pop(room)
    assert 5 < len(full.entries) < 20
    assert full.dropped == 100 - len(full.entries)
    assert full.size <= 1000
    assert [(each.entries, each.dropped) for each in found.values()] == [([], 0), ([], 0)]


def test_logs_hide_no_diagnostic_and_full_rooms_count_in_the_census(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_KEPT_BYTES", 100)
    notes = [{"kind": kind, "message": ""} for kind in ("swallowed_error", "unawaited_request", "other") * 40]
    core, _ = play([says(Log(["x" * 1000]), *notes, state=State.COMPLETE)])

    kept, totals = core.tree.workflows[""].kept, core.tree.totals
    assert (len(kept.logs.entries), kept.logs.dropped) == (0, 1)
    assert len(kept.diagnostics.entries) == 2
    assert (totals.swallowed, totals.unawaited) == (40, 40)


def test_a_phase_that_is_named_again_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_KEPT_ENTRIES", 3)
    monkeypatch.setattr(rooms, "MAX_KEPT_BYTES", 100)
    kept = _kept(says(*(Phase("a", {"n": n}) for n in range(50)), Phase("b")))

    assert kept.phases == {"a": {"n": 49}, "b": None}
    assert (kept.titles.dropped, kept.titles.size) == (0, len('["a", {"n": 49}]["b", null]') - 3)


def test_options_for_which_there_is_no_room_leave_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_KEPT_BYTES", 100)
    kept = _kept(says(Phase("a", 1), Phase("a", "x" * 100), Phase("a", 2)))

    assert (kept.phases, kept.titles.dropped) == ({"a": 2}, 1)


DIAGNOSTICS: dict[str, tuple[Row, list[str]]] = {
    "of a child that goes on": ([says({"kind": "swallowed_error", "message": "m"})], ["swallowed_error"]),
    "of one that is complete": (
        [says({"kind": "unawaited_request", "message": "m"}, state=State.COMPLETE)],
        ["unawaited_request"],
    ),
    "of one that fails": ([says({"kind": "k", "message": "m"}, state=State.MORE)], ["k"]),
    "of the host": ([Noted("", {"kind": "meta_not_read", "message": "m"})], ["meta_not_read"]),
    "after the end": ([COMPLETE, Noted("", {"kind": "k", "message": "m"})], ["k"]),
    "of types that are not known": (
        [says(UnknownRequest("1", "x"), UnknownRequest("2", "y"))],
        ["unknown_request_type", "unknown_request_type"],
    ),
}


@pytest.mark.parametrize(("inputs", "expected"), DIAGNOSTICS.values(), ids=DIAGNOSTICS)
def test_diagnostics_are_kept(inputs: Row, expected: list[str]) -> None:
    assert [note["kind"] for note in _kept(*inputs).diagnostics.entries] == expected


def test_the_name_of_a_type_that_is_not_known_is_cut() -> None:
    (note,) = _kept(says(UnknownRequest("1", "x" * 1000))).diagnostics.entries

    assert note["message"] == f"this host does not know requests of type '{'x' * 40}'; use a newer one"


TWO = Rules(max_agents=2, handlers=HANDLERS)
CENSUS: dict[str, tuple[Rules, Row, Totals]] = {
    "an answer": (RULES, [agents(1), answer(1, tokens=2)], Totals(started=1, completed=1, tokens=2)),
    "a failure": (RULES, [agents(1), refuse(1, tokens=2)], Totals(started=1, failed=1, tokens=2)),
    "a null": (RULES, [Compiled("", "script"), agents(1), refuse(1)], Totals(started=1, failed=1)),
    "retries are one call": (
        RULES,
        [agents(1, retry=retry(3)), refuse(1, tokens=1), Due("1"), wrong(1, tokens=2), answer(1, tokens=4)],
        Totals(started=1, completed=1, tokens=7),
    ),
    "a call that is wrong": (RULES, [agents(1, retry=5)], Totals(refused=1)),
    "one beyond the total": (Rules(max_total_agents=1), [agents(2)], Totals(started=1, refused=1)),
    "one that could not be tried again": (
        Rules(max_total_agents=1),
        [agents(1, retry=retry(2)), refuse(1), Due("1")],
        Totals(started=1, failed=1),
    ),
    "those at work and those that wait at the end": (
        TWO,
        [agents(3), Ended("")],
        Totals(started=2, cancelled=3),
    ),
    "no agents at all": (Rules(handlers=frozenset()), [agents(2)], Totals()),
    "late answers are free": (
        RULES,
        [agents(1), Ended(""), answer(1, tokens=5), refuse(1, tokens=5)],
        Totals(started=1, cancelled=1),
    ),
}


@pytest.mark.parametrize(("rules", "inputs", "expected"), CENSUS.values(), ids=CENSUS)
def test_what_becomes_of_calls_is_counted(rules: Rules, inputs: Row, expected: Totals) -> None:
    assert play(inputs, rules)[0].tree.totals == expected


def _usage(*inputs: Any) -> dict[tuple[str, str], Totals]:
    return play(inputs)[0].tree.phases


def test_what_agents_cost_is_kept_by_workflow_and_phase() -> None:
    found = _usage(
        says(Phase("a"), agent(1), agent(2, phase="b"), agent(3, phase=""), agent(4, phase=None)),
        Answered("1", 1, Spent(1, 0.5)),
        Refused("2", "no", spent=Spent(2, 0.25)),
        answer(3, tokens=4),
        answer(4, tokens=8),
    )

    assert found == {
        ("main.js", "a"): Totals(started=1, completed=1, tokens=1, cost_usd=0.5),
        ("main.js", "b"): Totals(started=1, failed=1, tokens=2, cost_usd=0.25),
        ("main.js", ""): Totals(started=2, completed=2, tokens=12),
    }


def test_a_call_stays_in_the_phase_in_which_it_was_made() -> None:
    found = _usage(says(Phase("a"), agent(1)), answer(9), answer(1, tokens=3))
    assert found[("main.js", "a")].tokens == 3
    found = _usage(
        says(Phase("a"), agent(1), agent(2)), answer(2), TURN, says(Phase("b")), answer(1, tokens=3)
    )
    assert set(found) == {("main.js", "a")}


def test_a_child_workflow_begins_in_the_phase_of_its_parent() -> None:
    inputs: Row = [
        says(Phase("a"), below(1), below(2)),
        Opened("1", "below.js", "1"),
        says(agent(1), Phase("b"), path="1"),
        answer("1/1", tokens=1),
        Turn("1"),
        says(agent(2), below(3), path="1"),
        Opened("1/3", "deep.js", "1/3"),
        says(agent(1), path="1/3"),
    ]

    core, _ = play(inputs)
    assert list(core.tree.phases) == [("below.js", "b"), ("deep.js", "b")]
    inputs = [*inputs[:2], says(agent(1), path="1")]
    core, commands = play(inputs)
    assert list(core.tree.phases) == [("below.js", "a")]
    queued = [each.members["phase"] for each in commands[-1] if isinstance(each, Emit)]
    assert queued == ["a"]


def test_phases_beyond_their_bound_are_counted_together_and_long_names_are_cut() -> None:
    names = [f"{n}{'x' * 300}" for n in range(MAX_PHASES + 20)]
    requests = [agent(n, phase=name) for n, name in enumerate(names, 1)]
    core, _ = play(
        [says(*requests), *(answer(each.id, tokens=1) for each in requests)], Rules(max_agents=999)
    )

    tree: Tree = core.tree
    assert list(tree.phases) == [
        *(("main.js", name[:MAX_PHASE_NAME]) for name in names[:MAX_PHASES]),
        ("", OTHER_PHASES),
    ]
    assert tree.phases[("", OTHER_PHASES)] == Totals(started=20, completed=20, tokens=20)
    assert sum(each.tokens for each in tree.phases.values()) == tree.totals.tokens == MAX_PHASES + 20
