"""What a fork has of the run that it reuses: from its record, and from those of the runs behind it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.reuse.calls import Call, calls_of
from flowcage.host.durable.reuse.content import Known
from flowcage.host.durable.reuse.guide import Old, Phases, source_of
from flowcage.host.durable.reuse.order import turn_of
from flowcage.host.durable.reuse.sessions import facts_of
from flowcage.host.durable.reuse.terms import Terms, apply
from flowcage.host.run.core.inputs import sum_of
from flowcage.protocol import strictjson
from flowcage.protocol.messages import MISSING, Json, Missing

# Options that agents take from their phase, by path of the workflow, of several runs by id.
PhasesOfRuns = Mapping[str, Mapping[str, Phases]]


def old_of(run_id: str, records: Mapping[str, RunRecord], terms: Terms, phases: PhasesOfRuns) -> Old:
    """What is reused of a run.

    Args:
        run_id: of the run.
        records: its own, and those of the runs that it was forked from, as far as they are there.
        terms: of the fork.
        phases: of all these runs.

    Raises:
        NotForkable: the terms name what is not there.
        DamagedEntry: a record is none of a run's.
    """
    record = records[run_id]
    key = record.digest_key
    sources = _sources(record, key)
    calls = calls_of(record, _known(record, terms, sources, phases), key)
    calls = apply(terms, calls)
    below = _below(calls)
    results = {
        each.id: result
        for each in calls
        if each.is_workflow
        and each.outcome == "answered"
        and not isinstance(result := _result(record, each, below[each.id]), Missing)
    }
    calls = [_whole(each, below[each.id]) if each.is_workflow else each for each in calls]
    calls = _ordered([*_placed(calls), *_reused(calls, records, terms, phases, key)])
    return Old(run_id, key, calls, sources, results, _first_turns(calls))


def _known(record: RunRecord, terms: Terms, sources: Mapping[str, str], phases: PhasesOfRuns) -> Known:
    run_id = record.summary.run_id
    return Known(record.workflows[""].agent, phases.get(run_id, {}), sources, terms.programs)


def _sources(record: RunRecord, key: bytes) -> dict[str, str]:
    """Source and args of child workflows, of requests that started one."""
    found = {}
    for path, workflow in record.workflows.items():
        if path and f"{path}.2" not in record.workflows:
            try:
                args = {} if workflow.args is None else _json(workflow.args)
            except ValueError:  # withheld: whether they are the same cannot be known, so the child runs
                continue
            found[path] = source_of(key, workflow.source, args, workflow.modules)
    return found


def _json(text: str) -> Json:
    return strictjson.loads(text.encode("utf-8", "surrogatepass"))


def _result(record: RunRecord, call: Call, below: Sequence[Call]) -> Json | Missing:
    """Of a child workflow that completed, none of whose calls has failed."""
    if call.answer is None or call.id not in record.workflows or f"{call.id}.2" in record.workflows:
        return MISSING
    if any(each.outcome in ("failed", "later") or each.replaced for each in below):
        return MISSING
    return call.answer.value


def _below(calls: Iterable[Call]) -> defaultdict[str, list[Call]]:
    """The calls below each request for a child workflow."""
    found = defaultdict(list)
    for call in calls:
        for request in _requests_above(call):
            found[request].append(call)
    return found


def _requests_above(call: Call) -> list[str]:
    """Of the workflow that makes it, and of those above that one."""
    steps = call.path.split("/") if call.path else []
    return ["/".join([*steps[:depth], step.partition(".")[0]]) for depth, step in enumerate(steps)]


def _whole(call: Call, below: Sequence[Call]) -> Call:
    """A call of a child workflow with what all calls below it cost, how many agents they are, and the
    sessions whose handles its result may hold.
    """
    answer, agents = call.answer, sum(each.agents for each in below if each.outcome == "answered")
    if answer is None:
        return call
    costs = [answer.spent, *(each.answer.spent for each in below if each.answer is not None)]
    facts = facts_of([each for each in (call, *below) if each.answer is not None])
    return replace(
        call, answer=answer._replace(spent=reduce(sum_of, costs), facts=facts), agents=call.agents + agents
    )


# ---- calls of the runs behind ----------------------------------------------------------------


def _placed(calls: Iterable[Call]) -> list[tuple[tuple[float, ...], Call]]:
    return [((turn_of(each),), each) for each in calls]


def _reused(
    calls: Sequence[Call],
    records: Mapping[str, RunRecord],
    terms: Terms,
    phases: PhasesOfRuns,
    key: bytes,
) -> list[tuple[tuple[float, ...], Call]]:
    """Calls below child workflows whose results the run has reused: it never made them itself."""
    found = []
    for call in calls:
        if not (call.is_workflow and call.reuses and call.reuses[0] in records):
            continue
        run, request = call.reuses
        behind = _behind(run, records, terms, phases, key)
        for placed, old in behind:
            if old.id.startswith((f"{request}/", f"{request}.")):
                moved = replace(
                    old,
                    id=call.id + old.id.removeprefix(request),
                    path=call.id + old.path.removeprefix(request),
                    origin=old.origin or (run, old.id),
                    outcome="later" if call.outcome == "later" else old.outcome,
                )
                found.append(((turn_of(call) - 0.5, *placed), moved))
    return found


def _behind(
    run: str, records: Mapping[str, RunRecord], terms: Terms, phases: PhasesOfRuns, key: bytes
) -> list[tuple[tuple[float, ...], Call]]:
    record = records[run]
    rest = {name: each for name, each in records.items() if name != run}
    calls = calls_of(record, _known(record, terms, _sources(record, key), phases), key)
    return [*_placed(calls), *_reused(calls, rest, terms, phases, key)]


def _ordered(placed: Sequence[tuple[tuple[float, ...], Call]]) -> list[Call]:
    """Calls with turns in one row of numbers."""
    turns = sorted({turn for turn, _ in placed if turn[0] != math.inf})
    numbers = {turn: number for number, turn in enumerate(turns)}
    return [replace(call, turn=numbers.get(turn)) for turn, call in placed]


def _first_turns(calls: Sequence[Call]) -> dict[str, float]:
    found: dict[str, float] = {}
    for call in calls:
        for request in [*_requests_above(call), *([call.id] if call.is_workflow else [])]:
            found[request] = min(found.get(request, math.inf), turn_of(call))
    return found
