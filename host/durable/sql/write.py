"""What the committing thread is given, and what it asks of a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar

from flowcage.host.durable.errors import StoreError, Unstorable
from flowcage.host.durable.sql.database import Database, Scope
from flowcage.host.durable.ticket import Ticket

T = TypeVar("T")


class Trouble(Enum):
    """What an error of a database means for a write."""

    PASSES = "passes"  # disk full, locked, server gone: try again
    LASTS = "lasts"  # damaged, read-only: nothing will be taken any more
    CONFLICT = "conflict"  # of this write with what is there: its own fault


class InDoubt(Exception):
    """Whether the commit took place is unknown; the cause says why."""


class Write(Ticket[T]):
    """A write in the queue. Subclasses say what is done.

    Attributes:
        size: bytes that it holds in memory.
        about: run and epoch that it is written with, if there is one.
        run_id: whose row it locks, besides that of `about`; None for none.
        comes_last: in its transaction. So it is with what takes the lock of the queue: whoever has it waits
            for no lock of a run's, and two hosts never wait for each other.
        of_host: columns of this host's row that it fills.
        wrote: whether there is something to commit; `run` says so where it has only looked.
    """

    comes_last: ClassVar[bool] = False

    __slots__ = ("about", "error", "run_id", "size", "value", "wrote")

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.wrote = True
        self.about: tuple[str, int] | None = None
        self.run_id: str | None = None
        self.value: Any = None
        self.error: Exception | None = None

    def prepare(self, scope: Scope) -> None:
        """Compress and the like, before the transaction begins."""

    def run(self, scope: Scope) -> T:
        """Do it; raises `StoreError` or `RunError` where it is refused."""
        raise NotImplementedError

    def gained(self) -> Sequence[tuple[str, int]]:
        """Runs and epochs that are this host's by it, if it was committed."""
        return ()

    @property
    def of_host(self) -> Mapping[str, Any]:
        return {}

    @staticmethod
    def hold_all(scope: Scope, writes: Sequence[Write[Any]]) -> None:
        """Lock the runs of all writes of a transaction, where they are several."""
        found = {write.run_id if write.about is None else write.about[0] for write in writes} - {None}
        if len(found) > 1:
            scope.db.hold_runs(sorted(filter(None, found)))

    @classmethod
    def run_all(cls, scope: Scope, writes: Sequence[Any]) -> None:
        """Do several of one type that follow each other, and set their `value` or `error`."""
        for write in writes:
            write.value = write.run(scope)


def is_prepared(write: Write[Any], scope: Scope) -> bool:
    """Prepare a write. One that cannot be, such as for a sealer that fails, is refused and harms no other."""
    write.value = write.error = None
    try:
        write.prepare(scope)
    except StoreError as error:  # such as for a key that is not there
        write.error = error
    except Exception as error:
        write.error = Unstorable(f"a write cannot be prepared: {error!r}")
    return write.error is None


class Backend(Protocol):
    """What differs between databases, for the committing thread alone."""

    def connect(self) -> Database:
        """A new connection for writing."""

    def scope(self, db: Database) -> Scope:
        """For one transaction."""

    def begin(self, db: Database) -> None:
        """Begin a transaction that no other host's can overtake."""

    def commit(self, db: Database, told: set[str]) -> None:
        """Commit, and tell these owners that there is news."""

    def rollback(self, db: Database) -> None:
        """Give a transaction up. Raises nothing."""

    def settled(self, db: Database) -> None:
        """A commit was acknowledged: time for housekeeping."""

    def finish(self, db: Database | None) -> None:
        """Close everything, nothing being left to commit; `db` is None where a connection was lost."""

    def trouble(self, error: Exception) -> Trouble | None:
        """What an error means; None for one that is not of the database."""
