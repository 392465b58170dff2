"""What a log has of a run: that it began, and how it ended. See `terminal.log`.

While nobody asks for INFO, that costs a look at the logger for each.
"""

from __future__ import annotations

import logging
from typing import Any

from flowcage.host.outcome.errors import IsolationUnavailable, LaunchFailed
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.run.node import Node
from flowcage.host.terminal.log import logger, name_of, reason_of

_RUNS = logger("run")
# Of these the message is the machine's; that of others may have what workflows, agents or handlers said.
_OF_THE_MACHINE = (LaunchFailed, IsolationUnavailable)

# Ends that somebody should look at: of the host itself, and of a child that did what no correct one does.
_ERRORS = frozenset({Verdict.NOT_STARTED, Verdict.HOST_FAULT, Verdict.DIVERGED})
_WARNINGS = frozenset(
    {
        Verdict.STEP_TIMEOUT,
        Verdict.CPU_LIMIT,
        Verdict.WALL_TIMEOUT,
        Verdict.MEMORY_LIMIT,
        Verdict.OUTPUT_LIMIT,
        Verdict.PROTOCOL_VIOLATION,
        Verdict.ISOLATION_VIOLATION,
        Verdict.CRASHED,
        Verdict.AGENTS_UNAVAILABLE,
        Verdict.QUARANTINED,
    }
)


def level_of(verdict: Verdict) -> int:
    """The level of a run's end."""
    if verdict in _ERRORS:
        return logging.ERROR
    return logging.WARNING if verdict in _WARNINGS else logging.INFO


def began(node: Node, tenant: str, *, is_resumed: bool) -> None:
    """A run begins, or is gone on with."""
    if _RUNS.isEnabledFor(logging.INFO):
        how = "goes on" if is_resumed else "started"
        fields = _of(node, tenant) | {"source_name": name_of(node.source_name), "resumed": is_resumed}
        _RUNS.info("run %s %s%s", node.id, how, _whose(tenant), extra=fields)


def fell_asleep(node: Node, tenant: str) -> None:
    """A run has no process any more until it is woken."""
    if _RUNS.isEnabledFor(logging.INFO):
        _RUNS.info("run %s fell asleep%s", node.id, _whose(tenant), extra=_of(node, tenant))


def ended(node: Node, report: Report, error: BaseException | None, child_signal: str | None) -> None:
    """A run is over.

    Args:
        node: the root.
        report: of it.
        error: what ended it.
        child_signal: that ended its child, if one did; usually the host's own SIGKILL.
    """
    level = level_of(report.verdict)
    if not _RUNS.isEnabledFor(level):
        return
    usage, census = report.usage, report.census
    fields = _of(node, report.tenant) | {
        "verdict": report.verdict.value,
        "seconds": usage.wall_seconds,
        "cpu_seconds": round(usage.user_cpu_seconds + usage.system_cpu_seconds, 6),
        "agents": census.started,
        "agents_failed": census.failed + census.refused,
        "tokens": usage.tokens,
        "cost_usd": usage.cost_usd,
    }
    if error is not None:
        fields["error_type"] = type(error).__name__
    if isinstance(error, _OF_THE_MACHINE):
        fields["reason"] = reason_of(error)
    if child_signal is not None and (child_signal != "SIGKILL" or report.verdict is Verdict.CRASHED):
        fields["child_signal"] = child_signal
    why = f" ({fields['reason']})" if "reason" in fields else ""
    _RUNS.log(
        level, "run %s ended: %s%s%s", node.id, report.verdict, _whose(report.tenant), why, extra=fields
    )


def _of(node: Node, tenant: str) -> dict[str, Any]:
    return {"run_id": node.id, "tenant": name_of(tenant)}


def _whose(tenant: str) -> str:
    return f" (tenant {name_of(tenant)})" if tenant else ""
