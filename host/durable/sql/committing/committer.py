"""The thread that writes: it takes all that waits in its queue and commits it as one transaction.

While a commit is on its way to the disk, further writes gather; so the number of commits follows the disk and
not the number of runs. What must hold:

- Writes are committed in the order of `put`, but for what comes last; a commit has a prefix of the queue.
- A ticket is settled after its commit, or with the error that it was refused with.
- A write that is refused leaves no trace: it was checked before it wrote, or what it wrote is rolled back.
- What cannot be committed now is kept and tried again, because it holds answers that were paid for. After
  `give_up_seconds`, or beyond `pending_bytes`, tickets fail with `StoreFailed`. A run that has lost a write
  has lost its epoch: nothing more is written with it, so no later write is there without an earlier one.
- After that the thread looks from time to time whether the disk takes something again.
- Where it is unknown whether a commit took place (the connection broke, the disk failed in it), the number
  of this host's last commit is read on a new connection. Where others took this host for dead, and the number
  is gone, the writes have failed. Where that stays unknown, what they may have gained is lost.
- A server that lacks commits that were confirmed, such as a standby that was behind, knows another past than
  this host: it would have runs as this host's that are over here, and the other way round. So nothing more is
  taken from a host that ever had a run.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flowcage.host.durable.blobs.values import BlobsFailed
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.sql.committing.doing import do
from flowcage.host.durable.sql.committing.telling import Telling
from flowcage.host.durable.sql.committing.this_host import ThisHost
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.sql.write import Backend, InDoubt, Trouble, Write, is_prepared
from flowcage.host.durable.ticket import settle

MOST_AT_ONCE = 1000  # writes of one commit
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 1.0
_PATIENCE_OF_CLOSING_SECONDS, _PROBE_SECONDS = 5.0, 1.0
# For which a database that is closed may answer nothing: longer than a server that is cut off is waited for.
LONGEST_SILENCE_SECONDS = 30.0
_BEHIND = (
    "the server lacks commits that were confirmed, as a standby does that takes over from behind; what this "
    "process has in memory may be wrong: start it again"
)


class Committer:
    """One thread with one connection.

    Args:
        backend: the database.
        owner: this host.
        pending_bytes, give_up_seconds, fault, on_trouble: as in `StoreOptions`.

    Attributes:
        trouble: why nothing can be written at the moment.
        commits: the number of the last one that may have taken place.
    """

    def __init__(
        self,
        backend: Backend,
        owner: str,
        pending_bytes: int,
        give_up_seconds: float,
        fault: Callable[[str], None] | None,
        on_trouble: Callable[[str | None], None] | None = None,
    ) -> None:
        self._backend = backend
        self._host = ThisHost(owner)
        self._most_pending, self._give_up_seconds = pending_bytes, give_up_seconds
        self._fault = fault or (lambda _point: None)
        self._telling = Telling(on_trouble)
        self._queue: queue.SimpleQueue[Write[Any] | None] = queue.SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()  # of `_pending` and of the order of `_broken` and the queue
        self._broken: str | None = None  # why nothing will be taken any more
        self._lost: set[tuple[str, int]] = set()  # runs and epochs that a write is missing of
        self._is_closed = False
        self._db: Database | None = None
        self._scope: Scope | None = None  # of the last attempt
        self.trouble: str | None = None
        self.commits = 0
        self._confirmed = 0  # the number of the last one that did
        self._had_runs = False
        self._thread = threading.Thread(target=self._run, name="flowcage-committer", daemon=True)

    def start(self, db: Database) -> None:
        """Begin to write, with a connection that nobody else uses."""
        self._db = db
        self._thread.start()

    def put(self, write: Write[Any]) -> None:
        """Have something written."""
        with self._lock:
            refused = self._refusal(write)
            if refused is None:
                self._pending += write.size
                self._queue.put(write)
                return
            self._lose([write])
        settle([(write, None, self._failure(refused))])

    def _refusal(self, write: Write[Any]) -> str | None:
        if self._is_closed or self._broken is not None:
            return self._broken or "the store was closed"
        if write.about in self._lost:
            return "an earlier write of this run was lost"
        if self.trouble is not None and self._pending + write.size > self._most_pending:
            return f"more than {self._most_pending:,} bytes wait to be written: {self.trouble}"
        return None

    def _failure(self, why: str) -> StoreFailed:
        return StoreFailed(why, is_final=self._is_closed or self._broken is not None)

    def _lose(self, writes: list[Write[Any]]) -> None:
        self._lost.update(write.about for write in writes if write.about is not None)

    def refuse_all(self, why: str) -> None:
        """Take nothing, from the beginning on."""
        self._refuse(why)
        self._thread.start()

    def close(self) -> None:
        """Commit what was given, and end. For threads: it waits, as long as anything is committed."""
        with self._lock:
            self._is_closed = True
        self._queue.put(None)
        before = -1
        while self._thread.is_alive() and self.commits != before:
            before = self.commits
            self._thread.join(LONGEST_SILENCE_SECONDS)

    def _refuse(self, why: str) -> None:
        with self._lock:
            self._broken = self._broken or why
        self._telling.is_broken(why)

    def _run(self) -> None:
        batch: list[Write[Any]] = []
        try:
            while batch := self._gather(wait=True):
                self._commit(batch)
        except BaseException as error:  # a fault of ours: nobody may wait for ever
            self._refuse(f"the committing thread failed: {error!r}")
            self._fail(batch)
            while rest := self._gather(wait=False):
                self._fail(rest)
            raise
        finally:
            with suppress(Exception):  # all is committed that was told to be
                self._backend.finish(self._db)

    def _gather(self, *, wait: bool) -> list[Write[Any]]:
        """All that waits; nothing at the end."""
        batch: list[Write[Any]] = []
        while len(batch) < MOST_AT_ONCE:
            try:
                write = self._queue.get(wait and not batch, _PROBE_SECONDS if self.trouble else None)
            except queue.Empty:
                if batch or not wait:
                    break
                self._commit([])  # to see whether the trouble is over
                continue
            if write is None:  # the end: what came before is committed first
                if batch:
                    self._queue.put(None)
                break
            batch.append(write)
        return sorted(batch, key=lambda write: write.comes_last)

    def _fail(self, batch: list[Write[Any]], *, in_doubt: bool = False) -> None:
        """Give up a batch, and what was put behind it meanwhile for the same runs."""
        why = self._broken or f"the store took nothing for too long: {self.trouble}"
        with self._lock:
            self._lose(batch)
            if in_doubt:
                self.commits += 1
                self._lost.update(each for write in batch for each in write.gained())
        if self._scope is not None:
            self._scope.payloads.forget()
        self._done([(each, None, self._failure(why)) for each in batch])

    def _done(self, settled: list[tuple[Write[Any], Any, Exception | None]]) -> None:
        with self._lock:
            self._pending -= sum(write.size for write, _, _ in settled)
        settle(settled)

    def _commit(self, batch: list[Write[Any]]) -> None:
        """Commit a batch, however long it takes, or fail it."""
        if any(write.about in self._lost for write in batch):  # it was put before that was known
            self._fail([write for write in batch if write.about in self._lost])
            batch = [write for write in batch if write.about not in self._lost]
        pause, began, in_doubt, counts = _FIRST_PAUSE_SECONDS, time.monotonic(), False, True
        while self._broken is None:
            try:
                if self._db is None:
                    self._db = self._backend.connect()
                    self._compare(self._db)
                    continue
                if in_doubt and (last := self._host.last_commit(self._db)) is None:
                    break
                if not in_doubt or last != self.commits + 1:
                    in_doubt = False
                    counts = self._attempt(self._db, batch)
            except Exception as error:
                cause = error.__cause__ if isinstance(error, InDoubt) else None
                in_doubt = in_doubt or cause is not None
                self._suffer(cause or error)
                self._telling.has_lasted(time.monotonic() - began, self.trouble)
                if not batch or time.monotonic() - began + pause > self._patience:
                    break
            else:
                self._acknowledge(batch, counts)
                return
            time.sleep(pause)  # of this thread alone; what comes meanwhile waits in the queue
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        self._fail(batch, in_doubt=in_doubt)

    def _compare(self, db: Database) -> None:
        """Find out whether a server has what was confirmed."""
        last = self._host.last_commit(db)
        if last is None or last >= self._confirmed:
            return
        self.commits = self._confirmed = last
        if self._had_runs:
            self._refuse(_BEHIND)

    def _acknowledge(self, batch: list[Write[Any]], counts: bool) -> None:
        self.commits += counts
        self._confirmed = self.commits
        self.trouble = None
        if batch:  # a probe writes nothing
            self._telling.is_over()
        for write in batch:
            if write.error is None:
                gained = write.gained()
                self._had_runs = self._had_runs or bool(gained)
                self._lost.difference_update(gained)
        self._fault("before-acknowledge")
        if self._scope is not None:
            self._scope.payloads.drop(self._scope.unneeded())
        self._done([(each, each.value, each.error) for each in batch])
        assert self._db is not None
        try:
            self._backend.settled(self._db)
        except Exception as error:
            if self._backend.trouble(error) is None:
                raise
            self._forget_connection()  # the next commit says whether it is serious

    @property
    def _patience(self) -> float:
        return _PATIENCE_OF_CLOSING_SECONDS if self._is_closed else self._give_up_seconds

    def _suffer(self, error: BaseException) -> None:
        """Take note of an error, and say that nothing more is taken where that is so."""
        assert isinstance(error, Exception)
        kind = Trouble.PASSES if isinstance(error, BlobsFailed) else self._backend.trouble(error)
        if kind is None:
            raise error
        self._forget_connection()
        self.trouble = str(error)
        if kind is not Trouble.PASSES:
            self._refuse(f"the store takes nothing more: {error}")

    def _forget_connection(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            self._backend.rollback(db)
            with suppress(Exception):
                db.close()

    def _attempt(self, db: Database, batch: list[Write[Any]]) -> bool:
        """Commit a batch: whether there was something to commit."""
        scope = self._scope = self._backend.scope(db)
        scope.lost = self._lost
        ready = [write for write in batch if is_prepared(write, scope)]
        scope.payloads.settle()  # objects before the rows that name them
        self._fault("before-begin")
        do(self._backend, scope, ready)
        for write in ready:
            if write.error is None:
                self._host.tells(write.of_host)
        self._fault("before-commit")
        if batch and self.trouble is None and not any(write.wrote for write in ready):
            self._backend.rollback(db)
            return False
        try:
            with db.pipeline():
                self._host.count(scope, self.commits + 1)
                self._backend.commit(db, scope.told)
        except Exception as error:
            raise InDoubt from error
        self._fault("after-commit")
        return True
