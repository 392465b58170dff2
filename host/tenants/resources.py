"""What one tenant's runs share while there are any: a launcher, and slots for agents and for checks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from flowcage.host.agents.schema import checker
from flowcage.host.process.launch.launcher import ClosableLauncher
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.run.slots import Slots
from flowcage.host.tenants.tenant import TenantLimits

# A zygote holds about 16 MiB, and a new one is ready in a tenth of a second.
MAX_IDLE = 16
IDLE_SECONDS = 60.0


class Tenancy:
    """One tenant's share of the host's means.

    Args:
        launcher: to be closed with it.
        reserve: keeps children of that launcher ready.
        limits: the tenant's.

    Attributes:
        launcher: for this tenant's children alone: what one of them learns of its layout is of no use against
            another tenant's.
        agents: slots for agents at work, over all runs.
        checkers: slots for processes that apply a schema, over all runs.
    """

    def __init__(self, launcher: ClosableLauncher, reserve: Reserve, limits: TenantLimits) -> None:
        self.launcher = launcher
        self.reserve = reserve
        self.agents = Slots(limits.max_agents)
        self.checkers = trio.CapacityLimiter(checker.AT_ONCE)
        self.users = 0
        self.idle_since = 0.0

    async def aclose(self) -> None:
        """End and reap what waits for the next run."""
        self.reserve.close()
        await self.launcher.aclose()


class Tenancies:
    """Those of all tenants; the ones that nobody uses are closed after a while.

    Args:
        new_launcher: makes one for a tenant.
        new_reserve: keeps children of a launcher ready.
    """

    def __init__(
        self,
        new_launcher: Callable[[], ClosableLauncher],
        new_reserve: Callable[[ClosableLauncher], Reserve],
    ) -> None:
        self._new_launcher = new_launcher
        self._new_reserve = new_reserve
        self._by_name: OrderedDict[str, Tenancy] = OrderedDict()  # the longest unused first

    def __len__(self) -> int:
        return len(self._by_name)

    @asynccontextmanager
    async def hold(self, name: str, limits: TenantLimits) -> AsyncIterator[Tenancy]:
        """The tenant's own, which stays open for the length of the block."""
        tenancy = self._by_name.get(name)
        if tenancy is None:
            launcher = self._new_launcher()
            tenancy = self._by_name[name] = Tenancy(launcher, self._new_reserve(launcher), limits)
        tenancy.users += 1
        try:
            yield tenancy
        finally:
            tenancy.users -= 1
            tenancy.idle_since = trio.current_time()
            self._by_name.move_to_end(name)

    async def sweep(self) -> None:
        """Close what is idle for long, or beside too many other idle ones; until cancelled."""
        while True:
            await trio.sleep(1.0)
            idle = [(name, each) for name, each in self._by_name.items() if each.users == 0]
            old = trio.current_time() - IDLE_SECONDS
            for place, (name, tenancy) in enumerate(idle):
                if tenancy.users:  # since another one was being closed
                    continue
                if tenancy.idle_since < old or len(idle) - place > MAX_IDLE:
                    del self._by_name[name]
                    await tenancy.aclose()

    def close_reserves(self) -> None:
        """Keep nothing ready any more."""
        for tenancy in self._by_name.values():
            tenancy.reserve.close()

    async def aclose(self) -> None:
        """Close all; no run may be left."""
        while self._by_name:
            _, tenancy = self._by_name.popitem()
            await tenancy.aclose()
