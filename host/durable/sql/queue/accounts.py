"""Writes of what workers are and have used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowcage.host.durable.queue.records import WorkerInfo
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.queue import state
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.write import Write


class Charge(Write[None]):
    """A life has used something."""

    comes_last = True
    __slots__ = ("_cost_usd", "_cpu_seconds", "_tenant")

    def __init__(self, tenant: str, cpu_seconds: float, cost_usd: float) -> None:
        super().__init__()
        self._tenant, self._cpu_seconds, self._cost_usd = tenant, cpu_seconds, cost_usd

    @classmethod
    def run_all(cls, scope: Scope, writes: Sequence[Charge]) -> None:
        spent: dict[str, tuple[float, float]] = {}
        for write in writes:
            name = escaped(write._tenant)
            cpu_seconds, cost_usd = spent.get(name, (0.0, 0.0))
            spent[name] = cpu_seconds + write._cpu_seconds, cost_usd + write._cost_usd
        # Whoever took the run has written before whether its tenant's CPU counts.
        counts = {name for name, (_, cost) in spent.items() if cost or _counts_cpu(scope, name)}
        for write in writes:
            write.wrote = bool(counts)
        if not counts:
            return
        scope.db.lock_queue()
        found = {name: state.used_by(scope.db, name, scope.now) for name in sorted(counts)}
        used = {name: each for name, each in found.items() if each.is_known}
        for name, each in used.items():
            each.charge(*spent[name], scope.now)
        state.keep_used(scope.db, used)


def _counts_cpu(scope: Scope, tenant: str) -> bool:
    return state.used_by(scope.db, tenant, scope.now).cpu_rate is not None


class Describe(Write[None]):
    """This host tells what it is as a worker."""

    __slots__ = ("_info",)

    def __init__(self, info: WorkerInfo | None) -> None:
        super().__init__()
        self._info = info

    def run(self, scope: Scope) -> None:
        scope.db.execute("UPDATE owners SET info = ? WHERE owner = ?", (self.of_host["info"], scope.owner))

    @property
    def of_host(self) -> Mapping[str, Any]:
        return {"info": None if self._info is None else json.dumps(self._info._asdict())}
