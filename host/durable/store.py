"""The interface of a store of durable runs.

A run is kept as the ordered log of its core's inputs, with the workflows of its tree beside it. The contract,
which `tests/durable/test_store_contract.py` holds every store to, and which a broken store fails clause by
clause:

1. What a ticket has told to be durable is there after any crash, and with it all that was given before: what
   a crash leaves of a run is a prefix of what was appended.
2. A run has one owner. Each claim gives it a higher epoch, and whatever is written with a lower one is
   `Fenced`. Nobody takes a run from an owner that lives, however long it is silent.
3. Entries are numbered without a gap, from 0.
4. The first answer from outside wins; it stays until the run has taken it in, in one commit with the entry.
5. A run does not fall asleep over an answer or a request to cancel that it has not seen.
6. A start with the key of an earlier one is that run.
7. A run that is open, or whose answers a fork reuses, is not removed.
8. A host learns with one question which of its running runs were given something from outside.
9. A run whose end was not of its own doing, so that it can be gone on with, keeps what it was answered.

What workers take of it, clauses 10 to 16, is in `queue.store`.

Every write is put into one queue and committed in its order by one thread, in groups. It gives a `Ticket`,
which can be awaited: ``await store.claim(run_id)``. Reads are made beside, on what is committed.

States::

    queued ──claim──▶ running ──end──▶ ended
      ▲                 │  │ ▲            │ claim(reopen)
      └──release────────┘  │ └────────────┤
               asleep ◀────┴──▶ diverged ─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flowcage.host.durable.queue.store import Queue
from flowcage.host.durable.records import (
    ALL,
    Claimable,
    Created,
    EncodedEntry,
    Ending,
    Entry,
    Filter,
    FromOutside,
    NewRun,
    NewWorkflow,
    OutsideAnswer,
    RunRecord,
    Summary,
)
from flowcage.host.durable.ticket import Ticket
from flowcage.host.durable.upkeep import Upkeep
from flowcage.host.run.core.inputs import Answered, Input, Refused
from flowcage.host.run.core.rules import Rules


class Store(Queue, Upkeep, Protocol):
    """Keeps runs. Tickets raise `StoreFailed` where nothing more is taken, besides what is said below."""

    @property
    def owner(self) -> str:
        """The name of this host in the store, new for each."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at the moment; while it is not None, `create` is refused."""

    def now(self) -> int:
        """Milliseconds since 1970, by the clock that the store goes by."""

    def encode(self, given: Input) -> bytes:
        """An input as it is stored: redacted, with this store's digests. Raises `Unstorable`."""

    # ---- runs --------------------------------------------------------------------------------

    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        """Keep a new run: this host's, with epoch 1, or one for whoever claims it.

        Raises (from the ticket):
            AlreadyThere: the id is in use, or the start key for another source or other args.
            UnknownRun: what it was forked from is not there.
            TooLarge: the tenant's cap.
        """

    def claim(self, run_id: str, *, reopen: bool = False) -> Ticket[int | None]:
        """Become the owner: the new epoch, or None where a living host has it, or it has ended or diverged.

        Args:
            run_id: of a run in any state.
            reopen: whether to go on with a run that has ended or diverged.
        """

    def hold_to(self, run_id: str, epoch: int, rules: Rules) -> Ticket[bool]:
        """Have other rules decide about a run; False where something has happened in it already.

        Raises (from the ticket):
            Fenced.
        """

    def release(self, run_id: str, epoch: int) -> Ticket[None]:
        """Leave the run to whoever claims it next. Raises `Fenced`, as all that takes an epoch."""

    def sleep(self, run_id: str, epoch: int, wake_at: int | None = None) -> Ticket[bool]:
        """Leave the run until a time, an answer or a request to cancel; False where there is one already."""

    def diverge(self, run_id: str, epoch: int, why: Ending) -> Ticket[None]:
        """Leave the run until somebody decides about it."""

    def end(self, run_id: str, epoch: int, ending: Ending) -> Ticket[None]:
        """The run is over."""

    def end_unowned(self, run_id: str, ending: Ending) -> Ticket[bool]:
        """End a run that no living host has, in whatever state it is; False where one has it.

        Raises (from the ticket):
            UnknownRun, RunHasEnded.
        """

    # ---- its history -------------------------------------------------------------------------

    def add_workflow(self, run_id: str, epoch: int, workflow: NewWorkflow) -> Ticket[None]:
        """Keep a child workflow; the same one again changes nothing. Raises `AlreadyThere` for another."""

    def append(
        self, run_id: str, epoch: int, seq: int, entries: Sequence[EncodedEntry], took: Sequence[str] = ()
    ) -> Ticket[None]:
        """Keep inputs.

        Args:
            run_id, epoch: of the claim.
            seq: number of the first, which is how many are there.
            entries: in their order.
            took: requests whose answers from outside are among them.

        Raises (from the ticket):
            Fenced, TooLarge, StoreFailed: the latter also for a number that is not the next.
        """

    # ---- from outside ------------------------------------------------------------------------

    def answer(self, run_id: str, answer: Answered | Refused) -> Ticket[bool]:
        """Answer a request of a run, whoever has it: whether this was the first answer.

        Raises (from the ticket):
            UnknownRun, RunHasEnded.
        """

    def turn_away(self, run_id: str, epoch: int, request: str) -> Ticket[None]:
        """Drop an answer that its question does not take: the next one is the first again.

        Raises (from the ticket):
            Fenced.
        """

    def cancel(self, run_id: str, reason: str = "") -> Ticket[bool]:
        """Ask for a run to end: whether nobody had. Raises as `answer`."""

    def follow(self, run_id: str) -> Ticket[None]:
        """From now on `news` is also that something was appended to this run. Raises `UnknownRun`."""

    async def news(self, *, of_queue: bool = False) -> None:
        """Wait until something may be there that was not: an answer, a request to cancel, a run to claim.

        The end of a run is news for everybody. That a host was killed is no news. Any number of tasks may
        wait; each is told of what came since its last call.

        Args:
            of_queue: whether a run to take from a pool is news, too; it may be told to who did not ask.
        """

    async def outside(self) -> list[FromOutside]:
        """What was given from outside to the running runs of this host; cheap, however many there are."""

    async def claimable(self, limit: int = 100) -> list[Claimable]:
        """Runs of no pool that no living host has: queued, abandoned, asleep with a reason to wake up."""

    async def next_due(self) -> int | None:
        """When the next run of no pool wakes that sleeps until a time; that is no news when it comes."""

    async def answers(self, run_id: str) -> list[OutsideAnswer]:
        """Those from outside that were not taken in."""

    # ---- looking back ------------------------------------------------------------------------

    async def find(self, prefix: str, tenant: str | None = None) -> str:
        """The id that begins so, or ``@last``, the newest. Raises `UnknownRun`, `AmbiguousRun`."""

    async def get(self, run_id: str) -> Summary:
        """A run without its history. Raises `UnknownRun`."""

    async def load(self, run_id: str) -> RunRecord:
        """A run with its history. Raises `UnknownRun`, `DamagedEntry`."""

    async def entries(self, run_id: str, since: int) -> list[Entry]:
        """The part of a run's history from this number on. Raises `UnknownRun`, `DamagedEntry`."""

    async def runs(self, which: Filter = ALL) -> list[Summary]:
        """The runs of a filter, the newest first."""

    def delete(self, run_id: str) -> Ticket[None]:
        """Remove a run that has ended or diverged. Raises `UnknownRun`, `RunIsOpen`, `RunIsReused`."""

    async def prune(self, before: int, tenant: str | None = None, *, dry_run: bool = False) -> list[str]:
        """Remove runs that ended before a time or are past their `delete_after`. Their ids.

        Args:
            before: milliseconds since 1970.
            tenant: whose; None for all.
            dry_run: whether nothing is removed.
        """

    async def export(self, run_id: str, path: Path) -> list[str]:
        """Write a run, and what it was forked from, to a new SQLite file. The ids in it."""

    def import_from(self, path: Path, tenant: str | None = None) -> Ticket[list[str]]:
        """Read such a file: the ids that were not here before. An open run is asleep until it is claimed.

        Args:
            path: the file.
            tenant: whose the runs shall be, instead of those they had.

        Raises (from the ticket):
            AlreadyThere: all of its runs are here.
            WrongStore: the file is none of ours.
        """

    async def aclose(self) -> None:
        """Commit what was given, and end this host's ownership: what is still running is abandoned."""
