"""What a host can tell of itself at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flowcage.host.outcome.report import Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.tenants.scheduler import SchedulerStatistics


@dataclass(frozen=True)
class RunTotals:
    """All runs that have ended, but for those that were cancelled; child workflows count with their parents.

    Attributes:
        by_verdict: how many ended in each way.
        agents, tokens: as in `Usage`.
        wire_bytes: sent and received.
        wall_seconds, cpu_seconds: of their children.
    """

    by_verdict: Mapping[Verdict, int]
    agents: int
    tokens: int
    wire_bytes: int
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class HostStatistics:
    """The whole host.

    Attributes:
        scheduler: who runs and waits, and the memory that is charged for it.
        runs: those that have ended.
        launchers: tenants with a launcher of their own, and so perhaps a zygote.
    """

    scheduler: SchedulerStatistics
    runs: RunTotals
    launchers: int


class RunCounts:
    """`RunTotals` in the making."""

    def __init__(self) -> None:
        self._by_verdict: Counter[Verdict] = Counter()
        self._agents = self._tokens = self._bytes = 0
        self._wall_seconds = self._cpu_seconds = 0.0

    def add(self, report: Report) -> None:
        """One run has ended."""
        usage = report.usage
        self._by_verdict[report.verdict] += 1
        self._agents += usage.agents
        self._tokens += usage.tokens
        self._bytes += usage.bytes_sent + usage.bytes_received
        self._wall_seconds += usage.wall_seconds
        self._cpu_seconds += usage.user_cpu_seconds + usage.system_cpu_seconds

    def snapshot(self) -> RunTotals:
        """As of now."""
        return RunTotals(
            MappingProxyType(dict(self._by_verdict)),
            self._agents,
            self._tokens,
            self._bytes,
            round(self._wall_seconds, 6),
            round(self._cpu_seconds, 6),
        )
