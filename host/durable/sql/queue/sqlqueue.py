"""The part of a store over a database that is its queue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from flowcage.host.durable.queue.records import Depth, Schedule, Taken, Wanted, WorkerInfo, WorkerState
from flowcage.host.durable.records import Created, NewRun
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.life import Leave, Wait
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.queue import numbers, schedules, views
from flowcage.host.durable.sql.queue.accounts import Charge, Describe
from flowcage.host.durable.sql.queue.lanes import is_anything_ready
from flowcage.host.durable.sql.queue.reap import Reap
from flowcage.host.durable.sql.queue.take import Take
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.ticket import Ticket

T = TypeVar("T")


class SqlQueue(ABC):
    """What `Queue` asks for."""

    _payloads: Payloads
    _takes = 0

    def __init__(self) -> None:
        self._looked: dict[str, str] = {}  # of the committing thread, see `Take`

    def take(self, wanted: Wanted) -> Ticket[list[Taken]]:
        self._takes += 1
        first = self._takes % max(1, len(wanted.pools))
        return self._put(
            Take(replace(wanted, pools=(*wanted.pools[first:], *wanted.pools[:first])), self._looked)
        )

    def put_back(self, run_id: str, epoch: int, why: str = "", not_before: int | None = None) -> Ticket[None]:
        return self._put_for(run_id, Leave(run_id, epoch, "queued", wait=Wait(why, not_before)))

    def try_again(self, run_id: str, epoch: int, why: str, not_before: int) -> Ticket[None]:
        return self._put_for(run_id, Leave(run_id, epoch, "queued", wait=Wait(why, not_before, tries=1)))

    def reap(self) -> Ticket[list[str]]:
        return self._put(Reap())

    def charge(self, tenant: str, cpu_seconds: float, cost_usd: float = 0.0) -> Ticket[None]:
        return self._put(Charge(tenant, cpu_seconds, cost_usd))

    async def next_in_queue(self, wanted: Wanted) -> int | None:
        return await self._read(lambda db: 0 if is_anything_ready(db, wanted) else views.next_due(db))

    # ---- looking at it -----------------------------------------------------------------------

    def describe(self, info: WorkerInfo | None) -> Ticket[None]:
        self._hear_of(None if info is None else frozenset(map(escaped, info.pools)))
        return self._put(Describe(info))

    def _hear_of(self, pools: frozenset[str] | None) -> None:  # noqa: B027 - SQLite's hosts hear all
        """Of the news of pools, only these are this host's; None: all are."""

    async def workers(self) -> list[WorkerState]:
        return await self._read(lambda db: views.workers(db, self.is_alive))

    async def depths(self) -> list[Depth]:
        return await self._read(lambda db: views.depths(db, self.now()))

    async def queue_problems(self) -> list[str]:
        return await self._read(lambda db: list(numbers.problems(db)))

    # ---- schedules ---------------------------------------------------------------------------

    def put_schedule(self, schedule: Schedule) -> Ticket[bool]:
        return self._put(schedules.PutSchedule(schedule))

    def remove_schedule(self, name: str) -> Ticket[bool]:
        return self._put(schedules.RemoveSchedule(name))

    async def schedules(self, due_at: int | None = None) -> list[Schedule]:
        return await self._read(lambda db: schedules.schedules(db, self._payloads, due_at))

    def fire(self, name: str, at: int, next_at: int, run: NewRun) -> Ticket[Created | None]:
        return self._put(schedules.Fire(name, at, next_at, run))

    @abstractmethod
    def now(self) -> int: ...

    @abstractmethod
    def is_alive(self, owner: str) -> bool:
        """Whether a host lives. Called in threads."""

    @abstractmethod
    def _put(self, write: Write[T]) -> Ticket[T]: ...

    @abstractmethod
    def _put_for(self, run_id: str, write: Write[T]) -> Ticket[T]:
        """Put a write for a run, if its id is none that a run cannot have."""

    @abstractmethod
    async def _read(self, read: Callable[[Database], T]) -> T:
        """Read in a thread."""
