"""What the runs of one tenant share: a launcher with its reserve, and slots for agents and for checks.

Made at a tenant's first run, and closed when it has had none for `IDLE_SECONDS`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import trio

from flowcage.host.agents.schema import checker
from flowcage.host.process.block import Block
from flowcage.host.process.launch.launcher import ClosableLauncher
from flowcage.host.process.launch.reserve import Reserve
from flowcage.host.run.slots import Slots
from flowcage.host.tenants.purse import Purse
from flowcage.host.tenants.tenant import TenantLimits

# Tenants without a run whose zygote is kept. It holds about 16 MiB, and a new one is ready in a tenth of a
# second.
MAX_IDLE = 16
IDLE_SECONDS = 60.0


class Tenancy:
    """The resources of one tenant.

    Args:
        launcher: closed with this.
        reserve: keeps children of that launcher ready.
        limits: the tenant's.

    Attributes:
        launcher: for this tenant's children alone, because a leaked address-space layout helps an attack on
            all children of the same zygote.
        agents: slots for agents at work, over all runs.
        checkers: slots for processes that apply a schema, over all runs.
        users: runs that hold this.
        idle_since: trio's time at the end of the last run.
    """

    def __init__(self, launcher: ClosableLauncher, reserve: Reserve, limits: TenantLimits) -> None:
        self.launcher = launcher
        self.reserve = reserve
        self.agents = Slots(limits.max_agents)
        self.checkers = trio.CapacityLimiter(checker.AT_ONCE)
        self.users = 0
        self.idle_since = 0.0

    async def aclose(self) -> None:
        """End and reap the spares and the launcher's own processes."""
        self.reserve.close()
        await self.launcher.aclose()


class Tenancies:
    """The resources of all tenants, by name.

    Args:
        new_launcher: makes a tenant's launcher.
        new_reserve: makes a launcher's reserve.
    """

    def __init__(
        self,
        new_launcher: Callable[[], ClosableLauncher],
        new_reserve: Callable[[ClosableLauncher], Reserve],
    ) -> None:
        self._new_launcher = new_launcher
        self._new_reserve = new_reserve
        self._by_name: OrderedDict[str, Tenancy] = OrderedDict()  # the longest unused first
        self._purses: dict[str, Purse] = {}  # for good: what was spent is not forgotten with the launcher

    def purse(self, name: str, limits: TenantLimits) -> Purse | None:
        """What the tenant's agents may cost; None without a ceiling."""
        if limits.max_cost_usd is None:
            return None
        if name not in self._purses:
            self._purses[name] = Purse(limits.max_cost_usd)
        return self._purses[name]

    def __len__(self) -> int:
        return len(self._by_name)

    def hold(self, name: str, limits: TenantLimits) -> Block[Tenancy]:
        """The tenant's resources, made if there are none; they stay open for the length of the block."""
        return Block(partial(self._take, name, limits), partial(self._give_back, name))

    def _take(self, name: str, limits: TenantLimits) -> Tenancy:
        tenancy = self._by_name.get(name)
        if tenancy is None:
            launcher = self._new_launcher()
            tenancy = self._by_name[name] = Tenancy(launcher, self._new_reserve(launcher), limits)
        tenancy.users += 1
        return tenancy

    def _give_back(self, name: str) -> None:
        tenancy = self._by_name[name]
        tenancy.users -= 1
        tenancy.idle_since = trio.current_time()
        self._by_name.move_to_end(name)

    async def sweep(self) -> None:
        """Close what is idle for `IDLE_SECONDS`, or the oldest of more than `MAX_IDLE`; until cancelled."""
        while True:
            await trio.sleep(1.0)
            idle = [(name, each) for name, each in self._by_name.items() if each.users == 0]
            old = trio.current_time() - IDLE_SECONDS
            for place, (name, tenancy) in enumerate(idle):
                if tenancy.users:  # a run has come while another tenant's launcher was being closed
                    continue
                if tenancy.idle_since < old or len(idle) - place > MAX_IDLE:
                    del self._by_name[name]
                    await tenancy.aclose()

    def close_reserves(self) -> None:
        """End all spares, and start none from now on."""
        for tenancy in self._by_name.values():
            tenancy.reserve.close()

    async def aclose(self) -> None:
        """Close the resources of all tenants; no run may be left."""
        while self._by_name:
            _, tenancy = self._by_name.popitem()
            await tenancy.aclose()
