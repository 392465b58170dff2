"""The row of this host: the number of its last commit, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcage.host.durable.sql.database import Database, Scope


class ThisHost:
    """Of one committing thread.

    Args:
        owner: its name.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._told: dict[str, Any] = {}

    def tells(self, told: Mapping[str, Any]) -> None:
        """Further columns of the row, for when others remove it, since they take this host for dead."""
        self._told.update(told)

    def count(self, scope: Scope, number: int) -> None:
        """Note the number of a commit, in its transaction; a row that is gone is made anew."""
        row = {"owner": self._owner, "commits": number, "opened_at": scope.now, **self._told}
        scope.db.execute(
            f"""INSERT INTO owners({", ".join(row)}) VALUES({", ".join("?" * len(row))})
            ON CONFLICT(owner) DO UPDATE SET commits = excluded.commits""",
            tuple(row.values()),
        )

    def last_commit(self, db: Database) -> int | None:
        """The number of the last commit: one that still goes on is waited for; None if unknown."""
        sql = f"SELECT commits FROM owners WHERE owner = ?{db.for_update}"
        row = db.execute(sql, (self._owner,)).fetchone()
        return None if row is None else int(row[0])
