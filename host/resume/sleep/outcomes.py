"""How a run of a store ended, for who was not there: from its record to what `Host.run` gives or raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from flowcage.host.durable.records import Ending, RunRecord
from flowcage.host.outcome.errors import FlowcageError, RunCancelled, RunError, WorkflowFailed
from flowcage.host.outcome.report import Outcome, Report
from flowcage.host.outcome.usage import AgentCosts, ModelUsage, PhaseUsage, Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.fold import past_of
from flowcage.host.run.reporting import census_of
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import MISSING

_Costs = TypeVar("_Costs", bound=AgentCosts)
_INTERRUPTED = (Verdict.CANCELLED, Verdict.HOST_SHUTDOWN)


def outcome_of(record: RunRecord) -> Outcome:
    """The outcome of a run that has ended or diverged.

    Raises:
        RunError: with its verdict and report; `WorkflowFailed` where the workflow had failed.
        RunCancelled: it was ended from outside.
    """
    ending = record.ending
    assert ending is not None
    verdict = Verdict(ending.verdict)
    report = _report(record, verdict, ending)
    if ending.result is not MISSING:
        return Outcome(ending.result, report)
    raise _error(verdict, ending.error, report)


def _error(verdict: Verdict, told: Any, report: Report) -> FlowcageError:
    found = told if isinstance(told, Mapping) else {}
    message, kind = str(found.get("message") or verdict), str(found.get("kind") or verdict)
    if verdict in _INTERRUPTED:
        return RunCancelled(message)
    is_workflows = kind not in Verdict.__members__.values()
    error = WorkflowFailed(kind, message, dict(found)) if is_workflows else RunError(message)
    error.verdict, error.report = verdict, report
    return error


def _report(record: RunRecord, verdict: Verdict, ending: Ending) -> Report:
    summary, tree = record.summary, past_of(record).core.tree
    usage = usage_of(ending.usage)
    root = tree.workflows.get("")
    if root is None:
        return Report(summary.run_id, verdict, usage, root_run_id=summary.run_id, tenant=summary.tenant)
    kept = root.kept
    return Report(
        summary.run_id,
        verdict,
        usage,
        tuple(kept.logs.entries),
        kept.logs.dropped,
        tuple(kept.phases),
        tuple(kept.diagnostics.entries),
        waiting=tuple(call.request.id for call in root.calls.values()),
        census=census_of(tree.totals),
        phases_dropped=kept.titles.dropped,
        phase_options={title: options for title, options in kept.phases.items() if options is not None},
        diagnostics_dropped=kept.diagnostics.dropped,
        root_run_id=summary.run_id,
        tenant=summary.tenant,
        sleeps=summary.sleeps,
    )


def usage_of(told: Any) -> Usage:
    """A usage from its JSON; what is not there, or is none, counts as 0."""
    if not isinstance(told, Mapping):
        return Usage()
    plain = {
        each.name: told[camel_case(each.name)]
        for each in fields(Usage)
        if type(told.get(camel_case(each.name))) in (int, float)
    }
    by_workflow = told.get("byWorkflow")
    return Usage(
        **plain,
        by_phase=_usages(told.get("byPhase"), PhaseUsage),
        by_model=_usages(told.get("byModel"), ModelUsage),
        by_workflow={name: _usages(phases, PhaseUsage) for name, phases in by_workflow.items()}
        if isinstance(by_workflow, Mapping)
        else {},
    )


def _usages(told: Any, kind: type[_Costs]) -> dict[str, _Costs]:
    if not isinstance(told, Mapping):
        return {}
    return {
        name: kind(**{field.name: each.get(camel_case(field.name), 0) for field in fields(kind)})
        for name, each in told.items()
        if isinstance(each, Mapping)
    }
