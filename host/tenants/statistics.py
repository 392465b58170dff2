"""The figures of a host: of runs that have ended, and of the scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flowcage.host.outcome.figures import Figures
from flowcage.host.outcome.report import Report
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.tenants.scheduler import SchedulerStatistics


@dataclass(frozen=True)
class RunTotals:
    """Sums over all runs that have ended, except cancelled ones; agents of child workflows are included.

    Attributes:
        by_verdict: the number of runs.
        agents, tokens: as in `Usage`.
        wire_bytes: sent to and received from the children.
        wall_seconds, cpu_seconds: of the children.
        cost_usd, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, unpriced: as in `Usage`.
            A life of a kept run counts with what the lives before it had spent.
    """

    by_verdict: Mapping[Verdict, int]
    agents: int
    tokens: int
    wire_bytes: int
    wall_seconds: float
    cpu_seconds: float
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    unpriced: int = 0


# Sums of figures of `Usage` by the same names.
_COSTS = ("cost_usd", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "unpriced")


@dataclass(frozen=True)
class HostStatistics:
    """The figures of a whole host.

    Attributes:
        scheduler: runs that run and wait, and the memory that is charged for them.
        runs: runs that have ended.
        launchers: tenants that have a launcher now, and so perhaps a zygote.
        figures: distributions over runs and agents; counted on, and no snapshot.
    """

    scheduler: SchedulerStatistics
    runs: RunTotals
    launchers: int
    figures: Figures = field(default_factory=Figures, compare=False, repr=False)


class RunCounts:
    """Adds up `RunTotals`.

    Attributes:
        figures: distributions, of cancelled runs, too.
    """

    def __init__(self) -> None:
        self.figures = Figures()
        self._by_verdict: Counter[Verdict] = Counter()
        self._agents = self._tokens = self._bytes = 0
        self._wall_seconds = self._cpu_seconds = 0.0
        self._costs: dict[str, Any] = dict.fromkeys(_COSTS, 0)

    def add(self, report: Report) -> None:
        """Add a run that has ended."""
        usage = report.usage
        self._by_verdict[report.verdict] += 1
        self._agents += usage.agents
        self._tokens += usage.tokens
        for name in _COSTS:
            self._costs[name] += getattr(usage, name)
        self._bytes += usage.bytes_sent + usage.bytes_received
        self._wall_seconds += usage.wall_seconds
        self._cpu_seconds += usage.user_cpu_seconds + usage.system_cpu_seconds

    def snapshot(self) -> RunTotals:
        """The sums until now."""
        return RunTotals(
            MappingProxyType(dict(self._by_verdict)),
            self._agents,
            self._tokens,
            self._bytes,
            round(self._wall_seconds, 6),
            round(self._cpu_seconds, 6),
            **self._costs,
        )
