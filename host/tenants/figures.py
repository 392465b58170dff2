"""The part of a host that tells its figures."""

from __future__ import annotations

from flowcage.host.tenants.resources import Tenancies
from flowcage.host.tenants.scheduler import Scheduler
from flowcage.host.tenants.statistics import HostStatistics, RunCounts
from flowcage.host.tenants.tenant import Tally


class Figures:
    """See `Host`."""

    _scheduler: Scheduler
    _tenancies: Tenancies
    _counts: RunCounts

    def statistics(self) -> HostStatistics:
        """The figures of the whole host since it was made; reads counters only."""
        of_runs = (self._counts.snapshot(), len(self._tenancies), self._counts.figures)
        return HostStatistics(self._scheduler.statistics(), *of_runs)

    def tenant_statistics(self, tenant: str) -> Tally:
        """The figures of one tenant since it was last forgotten, at least a minute after its last run."""
        return self._scheduler.tenant_statistics(tenant)

    def tenants(self) -> tuple[str, ...]:
        """The names of the tenants that are remembered: those with runs, or that had one lately."""
        return self._scheduler.tenants()
