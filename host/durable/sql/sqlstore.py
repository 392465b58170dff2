"""A store over one of the databases: writes go to the committing thread, reads to a connection beside it."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from flowcage.host.durable.errors import DamagedStore, StoreFailed, UnknownRun, Unstorable
from flowcage.host.durable.history import codec
from flowcage.host.durable.news import News
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import (
    ALL,
    LAST,
    WITHHELD,
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
from flowcage.host.durable.sql import life, outside, reading, waking, writes
from flowcage.host.durable.sql.committing.committer import Committer
from flowcage.host.durable.sql.database import Database
from flowcage.host.durable.sql.gathered import Gathered
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.queue.sqlqueue import SqlQueue
from flowcage.host.durable.sql.refusals import may_be_an_id, why_not
from flowcage.host.durable.sql.rows import encoded_ending
from flowcage.host.durable.sql.upkeep import removal, transfer
from flowcage.host.durable.sql.upkeep.upkeep import SqlUpkeep
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sqlite.files import exported, imported
from flowcage.host.durable.ticket import Ticket, settle
from flowcage.host.run.core.inputs import Answered, Input, Refused
from flowcage.host.run.core.rules import Rules

T = TypeVar("T")

_RECORDS_AT_ONCE = 16  # each with all of its entries


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _require_id(run_id: str) -> None:
    if not may_be_an_id(run_id):
        raise UnknownRun(run_id)


class SqlStore(SqlQueue, SqlUpkeep):
    """What `Store` asks for. Subclasses open and close the database, and know which hosts live.

    Args:
        owner: the name of this host.
        options: as given.
        payloads: with the store's key.
        reader: a connection that is used for reading alone, by one thread at a time.
        committer: has been started.
    """

    def __init__(
        self, owner: str, options: StoreOptions, payloads: Payloads, reader: Database, committer: Committer
    ) -> None:
        super().__init__()
        self._owner = owner
        self._options = options
        self._payloads = payloads
        self._reader = reader
        self._reading = threading.Lock()
        self._news = News(self._read_news)
        self._summaries = Gathered(self._read_summaries)
        self._records = Gathered(self._read_records, most=_RECORDS_AT_ONCE)
        self.committer = committer

    @property
    def owner(self) -> str:
        return self._owner

    @property
    def trouble(self) -> str | None:
        return self.committer.trouble

    def now(self) -> int:
        return (self._options.clock or wall_clock)()

    def encode(self, given: Input) -> bytes:
        return codec.encode(given, self._payloads.key, self._options.redact)

    # ---- runs --------------------------------------------------------------------------------

    def create(self, run: NewRun, *, queued: bool = False) -> Ticket[Created]:
        write = writes.Create(run, queued)
        if (why := why_not(run)) is not None:
            settle([(write, None, Unstorable(why))])
        elif self.trouble is not None:
            settle([(write, None, StoreFailed(f"no run is begun while the store fails: {self.trouble}"))])
        else:
            self.committer.put(write)
        return write

    def claim(self, run_id: str, *, reopen: bool = False) -> Ticket[int | None]:
        return self._put_for(run_id, life.Claim(run_id, reopen))

    def hold_to(self, run_id: str, epoch: int, rules: Rules) -> Ticket[bool]:
        return self._put_for(run_id, life.HoldTo(run_id, epoch, rules))

    def release(self, run_id: str, epoch: int) -> Ticket[None]:
        return self._put_for(run_id, life.Leave(run_id, epoch, "queued"))

    def sleep(self, run_id: str, epoch: int, wake_at: int | None = None) -> Ticket[bool]:
        return self._put_for(run_id, life.FallAsleep(run_id, epoch, wake_at))

    def diverge(self, run_id: str, epoch: int, why: Ending) -> Ticket[None]:
        return self._put_for(run_id, life.Leave(run_id, epoch, "diverged", why.verdict, encoded_ending(why)))

    def end(self, run_id: str, epoch: int, ending: Ending) -> Ticket[None]:
        return self._put_for(
            run_id, life.Leave(run_id, epoch, "ended", ending.verdict, encoded_ending(ending))
        )

    def end_unowned(self, run_id: str, ending: Ending) -> Ticket[bool]:
        return self._put_for(run_id, life.EndUnowned(run_id, ending.verdict, encoded_ending(ending)))

    # ---- its history -------------------------------------------------------------------------

    def add_workflow(self, run_id: str, epoch: int, workflow: NewWorkflow) -> Ticket[None]:
        if self._options.redact is not None and workflow.args is not None:  # the prompts are made of them
            workflow = workflow._replace(args=WITHHELD)
        return self._put_for(run_id, writes.AddWorkflow(run_id, epoch, workflow))

    def append(
        self, run_id: str, epoch: int, seq: int, entries: Sequence[EncodedEntry], took: Sequence[str] = ()
    ) -> Ticket[None]:
        return self._put_for(run_id, writes.Append(run_id, epoch, seq, entries, took))

    # ---- from outside ------------------------------------------------------------------------

    def answer(self, run_id: str, answer: Answered | Refused) -> Ticket[bool]:
        return self._put_for(run_id, outside.GiveAnswer(run_id, answer.id, self.encode(answer)))

    def turn_away(self, run_id: str, epoch: int, request: str) -> Ticket[None]:
        return self._put_for(run_id, outside.TurnAway(run_id, epoch, request))

    def cancel(self, run_id: str, reason: str = "") -> Ticket[bool]:
        return self._put_for(run_id, outside.AskToCancel(run_id, reason))

    def follow(self, run_id: str) -> Ticket[None]:
        return self._put_for(run_id, writes.Follow(run_id))

    async def news(self, *, of_queue: bool = False) -> None:
        await self._news.wait(of_queue=of_queue)

    async def outside(self) -> list[FromOutside]:
        return await self._read(lambda db: waking.outside(db, self._owner))

    async def claimable(self, limit: int = 100) -> list[Claimable]:
        return await self._read(lambda db: waking.claimable(db, self.now(), self.is_alive, limit))

    async def next_due(self) -> int | None:
        return await self._read(waking.next_due)

    async def answers(self, run_id: str) -> list[OutsideAnswer]:
        _require_id(run_id)
        return await self._read(lambda db: reading.answers(db, self._payloads, run_id))

    # ---- looking back ------------------------------------------------------------------------

    async def find(self, prefix: str, tenant: str | None = None) -> str:
        if prefix != LAST:
            _require_id(prefix)
        return await self._read(lambda db: reading.find(db, prefix, tenant))

    async def get(self, run_id: str) -> Summary:
        _require_id(run_id)
        return await self._summaries.get(run_id)

    async def load(self, run_id: str) -> RunRecord:
        _require_id(run_id)
        return await self._records.get(run_id)

    async def entries(self, run_id: str, since: int) -> list[Entry]:
        _require_id(run_id)
        return await self._read(lambda db: reading.entries(db, self._payloads, run_id, since))

    async def runs(self, which: Filter = ALL) -> list[Summary]:
        return await self._read(lambda db: self._told(reading.runs(db, which, is_alive=self.is_alive)))

    def delete(self, run_id: str) -> Ticket[None]:
        return self._put_for(run_id, removal.Delete(run_id))

    async def prune(self, before: int, tenant: str | None = None, *, dry_run: bool = False) -> list[str]:
        if dry_run:
            return await self._read(lambda db: removal.prunable(db, before, self.now(), tenant))
        gone: list[str] = []
        while some := await self._put(removal.Prune(before, tenant)):
            gone += some
        return gone

    async def export(self, run_id: str, path: Path) -> list[str]:
        _require_id(run_id)
        return await self._read(lambda db: self._export(db, run_id, path))

    def import_from(self, path: Path, tenant: str | None = None) -> Ticket[list[str]]:
        return self._put(transfer.Import(path, tenant, imported))

    async def aclose(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self.close)

    def close(self) -> None:
        """`aclose` for a thread without trio."""
        with self._reading:
            self._reader.close()  # the last one to close a file of SQLite's has to be one that writes
        self.committer.close()
        self._payloads.close()
        self._give_up_ownership()

    @abstractmethod
    async def _read_news(self) -> bool:
        """Wait until this host was told of something since the last call. Whether that is of pools alone."""

    @abstractmethod
    def _give_up_ownership(self) -> None: ...

    def _put_for(self, run_id: str, write: Write[T]) -> Ticket[T]:
        if not may_be_an_id(run_id):
            settle([(write, None, UnknownRun(run_id))])
            return write
        return self._put(write)

    def _put(self, write: Write[T]) -> Ticket[T]:
        self.committer.put(write)
        return write

    async def _read_summaries(self, run_ids: Sequence[str]) -> dict[str, Summary | Exception]:
        def read(db: Database) -> list[Summary | Exception]:
            found = reading.get_all(db, run_ids)
            told = iter(self._told([each for each in found if isinstance(each, Summary)]))
            return [next(told) if isinstance(each, Summary) else each for each in found]

        return dict(zip(run_ids, await self._read(read), strict=True))

    async def _read_records(self, run_ids: Sequence[str]) -> dict[str, RunRecord | Exception]:
        def one(db: Database, found: RunRecord | Exception, run_id: str) -> RunRecord | Exception:
            if isinstance(found, DamagedStore) and self._payloads.outside is not None:
                (found,) = reading.load(db, self._payloads, [run_id])  # as `_read_locked`
            if isinstance(found, Exception):
                return found
            return found._replace(summary=self._told([found.summary])[0])

        def read(db: Database) -> list[RunRecord | Exception]:
            found = reading.load(db, self._payloads, run_ids)
            return [one(db, *each) for each in zip(found, run_ids, strict=True)]

        return dict(zip(run_ids, await self._read(read), strict=True))

    def _told(self, summaries: list[Summary]) -> list[Summary]:
        return reading.told_of_owners(summaries, self.is_alive)

    async def _read(self, read: Callable[[Database], T]) -> T:
        return await trio.to_thread.run_sync(self._read_locked, read)

    def _read_locked(self, read: Callable[[Database], T]) -> T:
        with self._reading:
            try:
                return self._on_reader(read)
            except DamagedStore:  # an object that was replaced meanwhile: its row names another one now
                if self._payloads.outside is None:
                    raise
                return self._on_reader(read)

    def _on_reader(self, read: Callable[[Database], T]) -> T:
        """Read, with a new connection where the old one does not work any more."""
        return read(self._reader)

    def _export(self, db: Database, run_id: str, path: Path) -> list[str]:
        with reading.view(db):
            run_ids = transfer.with_ancestors(db, run_id)
            with exported(path, self._payloads.key) as target:
                transfer.copy(db, target, run_ids, self._payloads.within)
        return run_ids
