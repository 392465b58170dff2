"""The write by which a worker gets runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.queue.turns import Tenant, Turns
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.queue import state
from flowcage.host.durable.sql.queue.lanes import (
    MOST_TENANTS,
    Lane,
    Waiting,
    has_suspect,
    has_work,
    lanes_of,
    next_of,
    queue_what_is_due,
    tenants_of,
)
from flowcage.host.durable.sql.schema import escaped, readable
from flowcage.host.durable.sql.write import Write


class Take(Write[list[Taken]]):
    """The next runs, in fair turns, exact over all workers.

    A worker has one suspect at most, so that of those whose workers died one only goes with the next.

    Args:
        wanted: by the worker.
        looked: behind which tenant the next look at a pool begins, for all looks of a host; the committing
            thread's. None begins at the first.
    """

    comes_last = True
    __slots__ = ("_looked", "_wanted")

    def __init__(self, wanted: Wanted, looked: dict[str, str] | None = None) -> None:
        super().__init__()
        self._wanted, self._looked = wanted, {} if looked is None else looked

    def run(self, scope: Scope) -> list[Taken]:
        wanted, db = self._wanted, scope.db
        if wanted.count < 1 or not has_work(db, wanted, scope.now):
            return []
        with db.pipeline():  # others wait for the lock, so what need not wait for each other goes out at once
            db.lock_queue()
            due = queue_what_is_due(db, scope.now)
        for pool in due:
            scope.tell_pool(pool)
        pools = _opened(scope, wanted, self._looked)
        chosen = _chosen(pools, wanted.count)
        with db.pipeline() as settle:
            self._claim(scope, [run for _, run in chosen])
            self._keep(scope, pools)
            settle()
        return [Taken(run.run_id, run.epoch + 1, readable(tenant.name)) for tenant, run in chosen]

    def gained(self) -> list[tuple[str, int]]:
        return [taken[:2] for taken in self.value or ()]

    def _claim(self, scope: Scope, runs: Sequence[Waiting]) -> None:
        mark = escaped(self._wanted.marks[0]) if self._wanted.marks else ""
        scope.db.executemany(
            """UPDATE runs SET owner = ?, epoch = ?, state = 'running', made_by = ?, held = '',
            verdict = NULL, ending = NULL, updated_at = ? WHERE run_id = ?""",
            [(scope.owner, run.epoch + 1, mark, scope.now, run.run_id) for run in runs],
        )

    @staticmethod
    def _keep(scope: Scope, pools: Sequence[_Pool]) -> None:
        used = {}
        for pool in pools:
            state.keep_turns(scope.db, pool.name, pool.turns)
            used.update({name: pool.tenants[name].used for name in pool.turns.given})
        state.keep_used(scope.db, used)


class _Pool:
    """One pool, while turns are given in it."""

    def __init__(
        self, scope: Scope, lanes: Sequence[Lane], tenants: dict[str, Tenant], suspects: _Suspects
    ) -> None:
        self._db, self._lanes = scope.db, lanes
        self._suspects = suspects
        self.name = lanes[0].pool
        self.tenants = tenants
        self.turns: Turns = state.turns_of(self._db, self.name, list(tenants.values()))
        self._read: dict[str, list[Waiting]] = {}
        self._chosen: set[str] = set()

    def next(self, left: int) -> tuple[Tenant, Waiting] | None:
        """The next run, which has its turn by that.

        Args:
            left: how many more are wanted: no more than a share of it is locked for one tenant at a time.
        """
        while (tenant := self.turns.next()) is not None:
            runs = self._read.get(tenant.name) or self._more(tenant.name, max(1, left // len(self.turns)))
            if not runs:
                self.turns.has_nothing()
            elif self._suspects.admit(run := runs.pop()):
                self.turns.took()
                self._chosen.add(run.run_id)
                return tenant, run
        return None

    def _more(self, tenant: str, most: int) -> list[Waiting]:
        most += len(self._chosen)  # which are still queued
        found = next_of(self._db, self._lanes, tenant, most, suspects=self._suspects.has_room)
        self._read[tenant] = [run for run in found if run.run_id not in self._chosen]
        return self._read[tenant]


@dataclass
class _Suspects:
    """Those of one worker."""

    has_room: bool

    def admit(self, run: Waiting) -> bool:
        """Whether a run may go to the worker."""
        if run.is_suspect and not self.has_room:
            return False
        self.has_room &= not run.is_suspect
        return True


def _opened(scope: Scope, wanted: Wanted, looked: dict[str, str]) -> list[_Pool]:
    lanes = [lanes_of(pool, wanted.marks) for pool in dict.fromkeys(wanted.pools)]
    names = []
    for each in lanes:
        found = tenants_of(scope.db, each, looked.get(each[0].pool, ""))
        looked[each[0].pool] = found[-1] if len(found) == MOST_TENANTS else ""
        names.append(found)
    known = state.tenants(scope.db, set().union(*names), scope.now, wanted.limits)
    suspects = _Suspects(not has_suspect(scope.db, scope.owner))
    return [
        _Pool(scope, each, {name: known[name] for name in some}, suspects)
        for each, some in zip(lanes, names, strict=True)
    ]


def _chosen(pools: Sequence[_Pool], count: int) -> list[tuple[Tenant, Waiting]]:
    """One from each pool in turn, until there are enough or nothing is left."""
    chosen: list[tuple[Tenant, Waiting]] = []
    left = list(pools)
    while left and len(chosen) < count:
        pool = left.pop(0)
        if (found := pool.next(count - len(chosen))) is not None:
            chosen.append(found)
            left.append(pool)
    return chosen
