"""The history of a run, carried out once more in fresh cages with nobody asked, and compared.

Each workflow of the tree is told what its child was told, turn by turn, and must ask, say where it stands and
end as it did then. What is compared is in the log: requests, states and results, by their digests; and how
the root ended, which is kept beside the log. Logs and phases are not, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flowcage.host.durable.history.digests import canonical
from flowcage.host.durable.history.forms import request_form
from flowcage.host.durable.records import Ending, RunRecord
from flowcage.host.outcome.ending import explain
from flowcage.host.outcome.errors import WorkflowFailed
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.cage import Replayed, replayed
from flowcage.host.resume.fold import History, history_of
from flowcage.host.run.core.commands import Finish
from flowcage.host.run.core.inputs import Said
from flowcage.host.run.options import RunOptions
from flowcage.host.run.past.diverged import ReplayDiverged
from flowcage.host.run.past.past import PastWorkflow
from flowcage.protocol.errors import MEMORY, RUN_FAILURES, TIMEOUT
from flowcage.protocol.messages import MISSING, Json

# Failures of a workflow that a replay on the same machine repeats.
_REPEATED = RUN_FAILURES - {TIMEOUT, MEMORY}


class Divergence(NamedTuple):
    """The first difference of one workflow.

    Attributes:
        path: of the workflow in its run's tree; "" is the root.
        turn: the number of answers of its child before it.
        difference: in words.
        before, now: what was asked then, as far as the store has it, and what is asked now.
    """

    path: str
    source_name: str
    turn: int
    difference: str
    before: tuple[Json, ...] = ()
    now: tuple[Json, ...] = ()


class WorkflowReplay(NamedTuple):
    """One workflow that was replayed.

    Attributes:
        turns: answers of its child that were compared.
        end: complete, stalled or failed; pending where it waits for answers, and open where it was
            interrupted so that it is not known what it would have done next, or the replay was.
    """

    path: str
    source_name: str
    turns: int
    end: str


class ReplayReport(NamedTuple):
    """What a replay has compared.

    Attributes:
        workflows: of the tree, the root first.
        divergences: at most one of each workflow.
    """

    run_id: str
    workflows: tuple[WorkflowReplay, ...]
    divergences: tuple[Divergence, ...]

    @property
    def is_same(self) -> bool:
        """Whether the run did what it had done."""
        return not self.divergences

    @property
    def turns(self) -> int:
        """Answers that were compared, of all workflows."""
        return sum(each.turns for each in self.workflows)

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "runId": self.run_id,
            "same": self.is_same,
            "turns": self.turns,
            "workflows": [_camel(each) for each in self.workflows],
            "divergences": [_camel(each) for each in self.divergences],
        }


def _camel(given: WorkflowReplay | Divergence) -> dict[str, Json]:
    members = given._asdict()
    return {"path": members.pop("path"), "sourceName": members.pop("source_name"), **members}


async def replay(
    record: RunRecord, options: RunOptions | None = None, *, until: int | None = None
) -> ReplayReport:
    """Replay a run, whether or not it has ended.

    Args:
        record: as a store has it (`Store.load`).
        options: launcher, isolation and the host's limits; nobody is asked.
        until: of each workflow, the last turn that is compared.

    Returns:
        What was compared, and where it differs.

    Raises:
        DamagedEntry: the record is no history of a run.
        RunError: a workflow could not be replayed: a limit of the machine, or no cage.
    """
    history, given = history_of(record), options or RunOptions()
    workflows, divergences = [], []
    for past in history.workflows.values():
        if past.begun is None:  # its child was never told
            continue
        try:
            told = await replayed(past, given, until)
            if until is None:
                _require_same_end(record, history, past, told)
            turns, end = told.compared, _end(past, told)
        except ReplayDiverged as diverged:
            divergences.append(_divergence(past.begun.source_name, diverged))
            turns, end = diverged.turn, "diverged"
        workflows.append(WorkflowReplay(past.path, past.begun.source_name, turns, end))
    return ReplayReport(record.summary.run_id, tuple(workflows), tuple(divergences))


def _divergence(source_name: str, error: ReplayDiverged) -> Divergence:
    before, now = _asked(error.before), _asked(error.now)
    return Divergence(error.path, source_name, error.turn, error.difference, before, now)


def _asked(said: Said | None) -> tuple[Json, ...]:
    return () if said is None else tuple(map(request_form, said.requests))


def _end(past: PastWorkflow, told: Replayed) -> str:
    if told.failure is not None:
        return "failed"
    if told.is_cut or told.last is not None or not past.replies:
        return "open"
    return str(past.replies[-1][-1].state)


def _require_same_end(record: RunRecord, history: History, past: PastWorkflow, told: Replayed) -> None:
    """Compare what is not in the log: how the root ended. Raises `ReplayDiverged`."""
    ending = record.ending
    if told.failure is not None and told.failure.kind not in _REPEATED:
        raise told.failure
    if past.path or ending is None:
        return
    if difference := _difference(ending, history.finishes.get(""), told.failure):
        raise ReplayDiverged("", told.compared, difference)


def _difference(ending: Ending, finish: Finish | None, failure: WorkflowFailed | None) -> str:
    if ending.verdict == Verdict.COMPLETED:
        if failure is not None or finish is None or finish.verdict != ending.verdict:
            return "it is kept as completed, and it does not complete"
        result = None if ending.result is MISSING else ending.result
        is_same = canonical(result) == canonical(finish.result)
        return "" if is_same else "its result is not the one that is kept"
    if _is_failure(ending.error):
        if failure is None:
            return f"it had failed, and now it does not: {ending.error['message']}"
        return "" if explain(failure) == ending.error else f"it fails in another way: {failure}"
    return "" if failure is None else f"it had ended as {ending.verdict}, and now it fails: {failure}"


def _is_failure(error: Any) -> bool:
    return isinstance(error, Mapping) and error.get("kind") in _REPEATED and "message" in error
