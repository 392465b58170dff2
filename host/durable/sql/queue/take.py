"""The write by which a worker gets runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowcage.host.durable.queue.records import Taken, Wanted
from flowcage.host.durable.queue.turns import Tenant, Turns
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.queue import state
from flowcage.host.durable.sql.queue.lanes import (
    MOST_TENANTS,
    Lane,
    Look,
    Waiting,
    lanes_of,
    lock_where_runs_wait,
    next_of,
    put_into_queue,
    suspects_of,
    what_is_due,
)
from flowcage.host.durable.sql.queue.state import Found
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
        pools = self._opened(scope) if self._wanted.count > 0 else []
        chosen = _chosen(pools, self._wanted.count)
        self.wrote = bool(chosen or scope.told)
        if chosen:
            self._claim(scope, [run for _, run in chosen])
            self._keep(scope, pools)
        return [Taken(run.run_id, run.epoch + 1, readable(tenant.name)) for tenant, run in chosen]

    def _opened(self, scope: Scope) -> list[_Pool]:
        """The pools, locked for giving turns; none where there is nothing to give."""
        db, lanes = scope.db, _lanes(self._wanted)
        with db.pipeline():  # others wait for the lock, so what need not wait for each other goes out at once
            locked = lock_where_runs_wait(db, [lane for pool in lanes for lane in pool], scope.now)
            found = what_is_due(db, scope.now)
            at_work = suspects_of(db, scope.owner)
            looks = self._looks(db, lanes)
        if locked.fetchone() is None:
            return []
        if due := found.fetchall():
            put_into_queue(db, due)
            for _, pool in due:
                scope.tell_pool(pool)
            looks = self._looks(db, lanes)
        return self._with_turns(scope, looks, _Suspects(at_work.fetchone() is None))

    def _looks(self, db: Database, lanes: Sequence[Sequence[Lane]]) -> list[Look]:
        return [Look(db, pool, self._looked.get(pool[0].pool, "")) for pool in lanes]

    def _with_turns(self, scope: Scope, looks: Sequence[Look], suspects: _Suspects) -> list[_Pool]:
        found = [look.found() for look in looks]
        for look, some in zip(looks, found, strict=True):
            self._looked[look.pool] = some[-1].tenant if len(some) == MOST_TENANTS else ""
        known = state.tenants([each for some in found for each in some], scope.now, self._wanted.limits)
        return [_Pool(scope.db, look, some, known, suspects) for look, some in zip(looks, found, strict=True)]

    def gained(self) -> list[tuple[str, int]]:
        return [taken[:2] for taken in self.value or ()]

    def _claim(self, scope: Scope, runs: Sequence[Waiting]) -> None:
        mark = escaped(self._wanted.marks[0]) if self._wanted.marks else ""
        scope.db.later(
            """UPDATE runs SET owner = ?, epoch = ?, state = 'running', made_by = ?, held = '',
            verdict = NULL, ending = NULL, updated_at = ? WHERE run_id = ?""",
            [(scope.owner, run.epoch + 1, mark, scope.now, run.run_id) for run in runs],
        )

    @staticmethod
    def _keep(scope: Scope, pools: Sequence[_Pool]) -> None:
        used = {}
        for pool in pools:
            state.keep_turns(scope.db, pool.name, pool.turns)
            used.update({tenant.name: tenant.used for tenant in pool.given()})
        state.keep_used(scope.db, used)


class _Pool:
    """One pool, while turns are given in it."""

    def __init__(
        self,
        db: Database,
        look: Look,
        found: Sequence[Found],
        tenants: Mapping[str, Tenant],
        suspects: _Suspects,
    ) -> None:
        self._db, self._lanes = db, look.lanes
        self._suspects = suspects
        self.name = look.pool
        self._tenants = tenants
        self._known = {each.tenant for each in found if each.has_used}
        self.turns: Turns = state.turns_of(db, look.pool, found, tenants)
        self._read: dict[str, list[Waiting]] = {}
        self._chosen: set[str] = set()

    def given(self) -> list[Tenant]:
        """Those that had turns and of which something counts, or did until now."""
        had_turns = map(self._tenants.__getitem__, self.turns.given)
        return [tenant for tenant in had_turns if tenant.used.counts or tenant.name in self._known]

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
        found = next_of(self._db, self._lanes[tenant], tenant, most, suspects=self._suspects.has_room)
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


def _lanes(wanted: Wanted) -> list[list[Lane]]:
    """Of each pool."""
    return [lanes_of(pool, wanted.marks) for pool in dict.fromkeys(wanted.pools)]


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
