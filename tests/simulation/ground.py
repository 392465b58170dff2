"""The store of a simulation: the statements of the product over an SQLite database in memory.

There is no committing thread: each write is a transaction of its own. Who is alive says the simulation, as
the server does by its session locks.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from flowcage.host.durable.sql.committing.this_host import ThisHost
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.payloads import Payloads
from flowcage.host.durable.sql.write import Write
from flowcage.host.durable.sqlite import files
from flowcage.host.durable.sqlite.connection import SqliteDatabase, connected

T = TypeVar("T")


class Ground:
    """Attributes:
    sessions: owners whose session the server has.
    writes: how many there were of each kind.
    """

    def __init__(self, now: int) -> None:
        self.db = SqliteDatabase(connected("file::memory:"))
        self._payloads = Payloads(files.prepare(Path("memory"), self.db, now, key=bytes(32)))
        self.sessions: set[str] = set()
        self.writes: Counter[str] = Counter()
        self.told: set[str] = set()
        self._hosts: dict[str, ThisHost] = {}

    def is_alive(self, owner: str) -> bool:
        """Whether the server has the session of a worker."""
        return owner in self.sessions

    def join(self, owner: str, now: int) -> None:
        """A worker opens the store."""
        for (other,) in self.ask("SELECT owner FROM owners"):
            if not self.is_alive(other):
                self.db.execute("DELETE FROM owners WHERE owner = ?", (other,))
        self.sessions.add(owner)
        self.db.execute("INSERT INTO owners(owner, commits, opened_at) VALUES(?, 0, ?)", (owner, now))

    def write(self, owner: str, now: int, write: Write[T]) -> T:
        """Commit a write; raises what it is refused with."""
        scope = Scope(self.db, now, owner, self.is_alive, self._payloads)
        self.writes[type(write).__name__] += 1
        write.prepare(scope)
        self.db.begin()
        try:
            if owner:
                self._hosts.setdefault(owner, ThisHost(owner)).count(scope, self.writes.total())
            type(write).run_all(scope, [write])
            if write.error is not None:
                raise write.error
        except BaseException:
            self.db.rollback()
            raise
        self.db.commit()
        self.told = scope.told
        if owner:
            self._hosts[owner].tells(write.of_host)
        value: T = write.value
        return value

    def ask(self, sql: str, *params: Any) -> list[Any]:
        """Read what is committed."""
        return self.db.execute(sql, params).fetchall()

    def close(self) -> None:
        self.db.close()
