"""From a run's books, and what was measured of its child, to what the caller gets: events and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from flowcage.host.events import listener_log, records
from flowcage.host.outcome.errors import FlowcageError, HandlerFailed
from flowcage.host.outcome.report import Census, Report
from flowcage.host.outcome.usage import ModelUsage, PhaseUsage, Usage
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.supervisor import Child
from flowcage.host.run.core.agents.spending import Costs
from flowcage.host.run.core.books import Totals
from flowcage.host.run.core.tree import Tree, Workflow
from flowcage.host.run.naps.used import Succession
from flowcage.host.run.node import Node
from flowcage.host.run.options import RunOptions
from flowcage.protocol.messages import AgentRequest, Json, Layer


@dataclass(frozen=True)
class RunStatistics:
    """A run now.

    Attributes:
        agents_started, agents_completed, agents_failed: as in `Census`, child workflows included.
        agents_waiting: calls of this run without an answer yet, at work or in the queue.
        tokens: as the agents reported, child workflows included.
        messages, bytes_sent, bytes_received: on the wire, with this run's child.
        wall_seconds: since it began; once it has ended, its child's, as in `Usage`.
    """

    agents_started: int
    agents_completed: int
    agents_failed: int
    agents_waiting: int
    tokens: int
    messages: int
    bytes_sent: int
    bytes_received: int
    wall_seconds: float


class Ending(NamedTuple):
    """What is known of one workflow's child beside the tree's books.

    Attributes:
        waiting: the wire's ids of the requests without an answer at the end.
        sleeps: how often the run was asleep.
        earlier_cpu_seconds: of the run's lives before this one.
        notes: diagnostics that are none of the tree's.
    """

    verdict: Verdict
    children: Succession
    isolation: Mapping[str, Layer]
    limits: Mapping[str, float]
    waiting: tuple[str, ...]
    tenant: str
    sleeps: int
    earlier_cpu_seconds: float
    notes: tuple[dict[str, Json], ...]


def report_of(node: Node, tree: Tree, workflow: Workflow, ending: Ending) -> Report:
    """What is known of a workflow when its child is gone."""
    kept, child = workflow.kept, ending.children.last
    return Report(
        node.id,
        ending.verdict,
        usage_of(tree, ending.children, ending.earlier_cpu_seconds),
        tuple(kept.logs.entries),
        kept.logs.dropped,
        tuple(kept.phases),
        (*ending.notes, *kept.diagnostics.entries),
        ending.isolation,
        ending.waiting,
        ending.limits,
        child.stderr_tail if child is not None else "",
        census_of(tree.totals),
        phases_dropped=kept.titles.dropped,
        phase_options={title: options for title, options in kept.phases.items() if options is not None},
        diagnostics_dropped=kept.diagnostics.dropped,
        root_run_id=node.root.id,
        tenant=ending.tenant,
        metadata=node.options.metadata,
        sleeps=ending.sleeps,
    )


def census_of(totals: Totals) -> Census:
    """What became of the agent calls of a tree by now."""
    return Census(
        totals.started,
        totals.completed,
        totals.failed,
        totals.refused,
        totals.cancelled,
        totals.unawaited,
        totals.swallowed,
        totals.reused,
    )


def usage_of(tree: Tree, children: Succession, earlier_cpu_seconds: float) -> Usage:
    """What a workflow cost; without a child that has ended, only what its agents cost."""
    totals, child = tree.totals, children.last
    return Usage(
        agents=totals.started,
        reused_agents=totals.reused,
        reused_tokens=totals.reused_tokens,
        by_model=_by_model(tree),
        earlier_cpu_seconds=earlier_cpu_seconds,
        **_costs(totals),
        **({} if child is None or child.ended is None else _of_children(tree, children, child)),
    )


def _of_children(tree: Tree, children: Succession, last: Child) -> dict[str, Any]:
    used = children.used
    return {
        "wall_seconds": round(children.earlier_seconds + last.wall_seconds, 6),
        "user_cpu_seconds": used.user_cpu_seconds,
        "system_cpu_seconds": used.system_cpu_seconds,
        "peak_rss_bytes": used.peak_rss_bytes,
        "messages": used.messages,
        "bytes_sent": used.bytes_sent,
        "bytes_received": used.bytes_received,
        "by_phase": _by_phase(tree),
        "by_workflow": _by_workflow(tree),
    }


def statistics_of(tree: Tree, workflow: Workflow, children: Succession, seconds: float) -> RunStatistics:
    """A workflow as of now; it has no child at first.

    Args:
        seconds: since the workflow began; once it has ended, as in `Usage`.
    """
    used, totals = children.used, tree.totals
    return RunStatistics(
        totals.started,
        totals.completed,
        totals.failed,
        sum(isinstance(call.request, AgentRequest) for call in workflow.calls.values()),
        totals.tokens,
        used.messages,
        used.bytes_sent,
        used.bytes_received,
        round(seconds, 6),
    )


def _by_model(tree: Tree) -> dict[str, ModelUsage]:
    models = tree.books.models.items()
    return {name: ModelUsage(**_costs(costs), answers=costs.answers) for name, costs in models}


def _by_workflow(tree: Tree) -> dict[str, dict[str, PhaseUsage]]:
    found: dict[str, dict[str, PhaseUsage]] = {}
    for (source_name, phase), totals in tree.phases.items():
        if totals.started:
            found.setdefault(source_name, {})[phase] = _phase_usage(totals)
    return found


def _by_phase(tree: Tree) -> dict[str, PhaseUsage]:
    found: dict[str, PhaseUsage] = {}
    for (_, phase), totals in tree.phases.items():
        if totals.started:
            found[phase] = found.get(phase, PhaseUsage()) + _phase_usage(totals)
    return found


def _phase_usage(totals: Totals) -> PhaseUsage:
    return PhaseUsage(agents=totals.started, failed=totals.failed, **_costs(totals))


def _costs(costs: Costs) -> dict[str, Any]:
    return {
        "tokens": costs.tokens,
        "cost_usd": costs.cost_usd,
        "input_tokens": costs.input,
        "output_tokens": costs.output,
        "cache_read_tokens": costs.cache_read,
        "cache_write_tokens": costs.cache_write,
        "unpriced": costs.unpriced,
    }


class Telling:
    """Tells the listener, if there is one.

    Args:
        options: of the root.
        tenant: its name.
        seconds: since the root run began.
        fail: ends a run whose listener raises.
        emitted: how many events were told in this process before.

    Attributes:
        emitted: how many there are by now.
        is_silent: whether nothing is told any more.
    """

    def __init__(
        self,
        options: RunOptions,
        tenant: str,
        seconds: Callable[[], float],
        fail: Callable[[Node, HandlerFailed], None],
        emitted: int = 0,
    ) -> None:
        self._options = options
        self._tenant = tenant
        self._seconds = seconds
        self._fail = fail
        self.emitted = emitted
        self.is_silent = False

    def emit(self, node: Node, kind: str, members: Mapping[str, Any]) -> None:
        """Tell of one event. A listener that raises ends the run as `HandlerFailed`."""
        listener = self._options.listener
        if listener is None or self.is_silent:
            return
        event = self._event(node, kind, members)
        try:
            listener(event)
        except Exception as error:
            if kind == "ended" and node is node.root:
                listener_log.failed_at_the_end(event, error)
                return
            said = str(error) if isinstance(error, FlowcageError) else shown(error)
            failure = HandlerFailed(f"the listener failed: {said}")
            failure.__cause__ = error
            self._fail(node.root, failure)

    def _event(self, node: Node, kind: str, members: Mapping[str, Any]) -> records.Event:
        self.emitted += 1
        if kind == "question_answered" and self._options.withhold_values:
            members = {name: value for name, value in members.items() if name != "value"}
        if kind in records.WITH_USAGE:
            members = records.of_answer(members, withhold_value=self._options.withhold_values)
        return records.BY_TYPE[kind](
            run_id=node.id,
            at=round(self._seconds(), 6),
            seq=self.emitted,
            time=datetime.now(UTC).isoformat(timespec="microseconds"),
            root_run_id=node.root.id,
            tenant=self._tenant,
            **members,
        )


def shown(error: Exception) -> str:
    """An error of somebody else's."""
    try:
        return repr(error)
    except Exception:  # the class is somebody else's
        return f"{type(error).__name__}, which has no text"
