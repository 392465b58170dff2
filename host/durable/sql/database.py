"""The few calls that the statements make on a database, and what each write is given.

Statements have ``?`` for parameters and are the same text for all databases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from flowcage.host.durable.sql.payloads import Blob, Payloads

Row: TypeAlias = tuple[Any, ...]
POOL = "#"  # no owner's name begins with it


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Database(Protocol):
    """One connection, used by one thread at a time.

    Attributes:
        for_update: ends a SELECT whose row is about to be changed.
        for_update_of_free: the same, without the rows that another transaction has locked.
    """

    for_update: str
    for_update_of_free: str

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Rows: ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None: ...

    def later(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """`executemany` that goes out with the next statement, which raises what is wrong with it."""

    def pipeline(self) -> AbstractContextManager[Callable[[], None]]:
        """Send statements without waiting for each. The call inside waits for all that were sent."""

    def hold_blobs(self) -> None:
        """Until the end of the transaction, no other one comes to use a blob."""

    def hold_runs(self, run_ids: Sequence[str]) -> None:
        """Lock these rows in the order of their ids, so that no two transactions wait for each other."""

    def lock_queue(self, where: str = "TRUE", params: Sequence[Any] = ()) -> Rows:
        """Until the end of the transaction, no other one gives turns; see `Write.comes_last`.

        Args:
            where, params: a condition, without which there is no lock.

        Returns:
            A row where it is locked.
        """

    def begin(self) -> None:
        """Begin a transaction, with its first statement at the latest."""

    def begin_reading(self) -> None:
        """One unchanging view, for several statements."""

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def asked(db: Database, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
    """The rows of several SELECTs, which go out together."""
    with db.pipeline():
        found = [db.execute(sql, params) for sql, params in questions]
    return [rows.fetchall() for rows in found]


@dataclass
class Scope:
    """What one write may use.

    Attributes:
        now: milliseconds since 1970.
        owner: this host.
        is_alive: whether another host is.
        tenant_bytes: cap on what is stored of a tenant.
        bytes_of: known sums by tenant, without what other hosts wrote since, and how often each was used.
        told: owners to be told that there is news; "" is everybody, behind `POOL` are the workers of a pool.
        lost: runs of this host and epochs that a write is missing of, so that they have to be claimed anew.
        dropped: names of objects that no row refers to any more, once this is committed.
        placed: objects, and what the insertion of their rows gave, which is known at the end of a pipeline.
    """

    db: Database
    now: int
    owner: str
    is_alive: Callable[[str], bool]
    payloads: Payloads
    run_bytes: int | None = None
    tenant_bytes: int | None = None
    bytes_of: dict[str, tuple[int, int]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    lost: Set[tuple[str, int]] = frozenset()
    dropped: list[str] = field(default_factory=list)
    placed: list[tuple[str, Rows]] = field(default_factory=list)

    def tell_pool(self, pool: str | None) -> None:
        """Tell who takes from a pool, named as it is stored; what has none is news for everybody."""
        self.told.add("" if pool is None else POOL + pool)

    def keep_blobs(self, run_id: str, blobs: Sequence[Blob]) -> None:
        """Store what payloads refer to."""
        if blobs:  # the uses first: whoever removes blobs waits for them, see `Database.hold_blobs`
            self.db.executemany(
                "INSERT INTO blob_uses(run_id, hash) VALUES(?, ?) ON CONFLICT DO NOTHING",
                [(run_id, blob.hash) for blob in blobs],
            )
            sql = "INSERT INTO blobs(hash, data) VALUES(?, ?) ON CONFLICT DO NOTHING"
            self.db.executemany(sql, [blob[:2] for blob in blobs if blob.object is None])
            for blob in blobs:
                if blob.object is not None:
                    self.placed.append((blob.object, self.db.execute(sql, blob[:2])))

    def mark(self) -> tuple[int, int]:
        """Before something that may be undone."""
        return len(self.dropped), len(self.placed)

    def undo(self, mark: tuple[int, int]) -> None:
        """All since then was rolled back."""
        self.bytes_of.clear()
        del self.dropped[mark[0] :], self.placed[mark[1] :]

    def unneeded(self) -> list[str]:
        """Objects that nothing refers to after the commit: of rows that are gone, or were there already."""
        return self.dropped + [name for name, inserted in self.placed if inserted.rowcount == 0]
