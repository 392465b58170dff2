"""The interface of the queue of a store, which is a part of `Store`.

The queue is no table of its own: it is the runs that are queued and have a pool. A run without one (the
default of `NewRun`) is its host's own, and no worker takes it. The contract goes on from `Store`'s:

10. A run is taken once, by a worker of its pool that can replay it, and not before its time.
11. Tenants that wait have turns by their weights, however much one of them has queued; where very many wait,
    each look compares some of them, others each time. Within a tenant the run of the highest priority goes
    first, then the oldest.
12. No tenant has more runs at work, over all workers, than its limits allow, nor turns beyond its rates.
13. A run of a dead owner goes back into the queue; the third time, if nothing in between got it on, it ends
    as ``quarantined``.
14. What sleeps and has something to wake up for is taken like what is queued.
15. A schedule fires once for each of its times, over all workers.
16. Rules of a run change before its first entry alone, and by its owner.
"""

from __future__ import annotations

from typing import Protocol

from flowcage.host.durable.queue.records import Depth, Schedule, Taken, Wanted, WorkerInfo, WorkerState
from flowcage.host.durable.records import Created, NewRun
from flowcage.host.durable.ticket import Ticket


class Queue(Protocol):
    """What workers ask of a store."""

    def take(self, wanted: Wanted) -> Ticket[list[Taken]]:
        """Claim the next runs, at most as many as are wanted; what sleeps no more is queued first.

        One that finds nothing costs a look, and no commit.
        """

    def put_back(self, run_id: str, epoch: int, why: str = "", not_before: int | None = None) -> Ticket[None]:
        """`release`, with the reason why it waits and until when.

        Args:
            run_id, epoch: of the claim.
            why: shown until it is taken again.
            not_before: milliseconds since 1970.

        Raises (from the ticket):
            Fenced.
        """

    def try_again(self, run_id: str, epoch: int, why: str, not_before: int) -> Ticket[None]:
        """`put_back` of a run that has ended in a way that may be another the next time: it is counted."""

    def reap(self) -> Ticket[list[str]]:
        """Put runs of dead owners back into the queue, or into quarantine. Their ids.

        It also notes of queued runs whether no living worker can replay them.
        """

    def charge(self, tenant: str, cpu_seconds: float, cost_usd: float = 0.0) -> Ticket[None]:
        """Count what a life has used."""

    async def next_in_queue(self, wanted: Wanted) -> int | None:
        """When there is something to take that is no news when it comes, in milliseconds since 1970.

        That is when the next run of a pool, or schedule, is due; 0 where a run waits, as one that a quota
        holds back does.
        """

    # ---- looking at it -----------------------------------------------------------------------

    def describe(self, info: WorkerInfo | None) -> Ticket[None]:
        """Tell what this host is as a worker; None: it is none any more."""

    async def workers(self) -> list[WorkerState]:
        """All that have described themselves and are alive or still have runs, the oldest first."""

    async def depths(self) -> list[Depth]:
        """What is in each pool, by tenant; pools and tenants that have nothing are left out."""

    async def queue_problems(self) -> list[str]:
        """What cannot be in the rows that turns and quotas go by, and what to do: for the doctor."""

    # ---- schedules ---------------------------------------------------------------------------

    def put_schedule(self, schedule: Schedule) -> Ticket[bool]:
        """Keep a schedule in the place of one with this name: whether there was none."""

    def remove_schedule(self, name: str) -> Ticket[bool]:
        """Fire it no more: whether it was there."""

    async def schedules(self, due_at: int | None = None) -> list[Schedule]:
        """All, by name, or those that are due at a time."""

    def fire(self, name: str, at: int, next_at: int, run: NewRun) -> Ticket[Created | None]:
        """Make the run of one firing and move the schedule on, in one write.

        Args:
            name: of the schedule.
            at: the `next_at` that it was found with: None is given where it is another by now.
            next_at: its next time.
            run: queued, with the start key ``NAME@TIME``.

        Raises (from the ticket):
            As `create`.
        """
